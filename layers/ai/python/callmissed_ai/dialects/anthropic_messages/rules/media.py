"""Images and documents of other dialects as Anthropic accepts them."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import Document, Image

_INLINE = re.compile(r"data:([^;,]*)((?:;[^;,]*)*?);base64,(.*)", re.DOTALL | re.IGNORECASE)
_SIGNATURES: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
_WEBP = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
_HEAD_LENGTH = 20  # of base64, which are 15 bytes
_MEDIA_TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_OTHER_NAMES: Mapping[str, str] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/jfif": "image/jpeg",
    "image/x-png": "image/png",
}
_ALPHABET = re.compile(r"[A-Za-z0-9+/]+")
_OF_URLS = str.maketrans("-_", "+/")
_NO_DATA = re.compile(r"[\s=]+")


def image_source(image: Image, param: str) -> dict[str, Any]:
    """The source of an image. Raises ApiError 400 for one that Anthropic does not take."""
    if not image.url:
        return _inline(image.media_type, image.data, param)
    if inline := _INLINE.fullmatch(image.url):
        return _inline(inline[1], inline[3], param)
    if not image.url.lower().startswith("https://"):
        raise invalid_request(f"Invalid '{param}': an image must be a data URL in base64, or at an https URL.", param)
    return {"type": "url", "url": image.url}


def document_source(document: Document) -> dict[str, Any]:
    """The source of a document."""
    if document.text:
        return {"type": "text", "media_type": "text/plain", "data": document.text}
    if document.url:
        return {"type": "url", "url": document.url}
    return {"type": "base64", "media_type": document.media_type, "data": document.data}


def _inline(media_type: str, data: str, param: str) -> dict[str, Any]:
    """Bytes with the type that they are of: Anthropic refuses others than are said, and names that mean the same."""
    data = _base64(data, param)
    said = media_type.strip().lower()
    found = _type_of(data) or _OTHER_NAMES.get(said, said)
    if found not in _MEDIA_TYPES:
        raise _invalid(param, "this model sees PNG, JPEG, GIF and WebP")
    return {"type": "base64", "media_type": found, "data": data + "=" * (-len(data) % 4)}


def _base64(data: str, param: str) -> str:
    """`data` in the usual alphabet, without padding or white space."""
    data = data.rstrip("=")
    if not _ALPHABET.fullmatch(data):
        data = _NO_DATA.sub("", data).translate(_OF_URLS)
    if not _ALPHABET.fullmatch(data):
        raise _invalid(param, "its data is not base64")
    return data


def _type_of(data: str) -> str | None:
    """The type that the first bytes show; None for bytes that show none."""
    head = base64.b64decode(data[:_HEAD_LENGTH] + "==")
    if _WEBP.match(head):
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES.items() if head.startswith(signature)), None)


def _invalid(param: str, why: str) -> ApiError:
    return invalid_request(f"Invalid '{param}': {why}.", param)
