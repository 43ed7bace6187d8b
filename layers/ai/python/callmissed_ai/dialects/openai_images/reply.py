"""A reply with images: what of it is an image, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_images.base64_pieces import decoded, encoded
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import with_whole_characters, written_json

MAX_PROMPT_CHARACTERS = 4_000
"""Of a prompt that the provider has revised, so much is shown and stored."""

_PNG, _JPEG, _WEBP = "image/png", "image/jpeg", "image/webp"


class Refused(Exception):
    """The provider's filter let no image pass."""


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """An image that was drawn, and its prompt where the provider has revised that."""

    data: bytes
    media_type: str
    revised_prompt: str | None = None


def media_type_of(data: bytes) -> str | None:
    """Media type of a PNG, JPEG or WebP by its first bytes; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return _PNG
    if data.startswith(b"\xff\xd8\xff"):
        return _JPEG
    return _WEBP if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def read_images(body: bytes, wanted: int) -> Sequence[DrawnImage]:
    """The images in a reply, `wanted` at most.

    Raises Refused for a reply whose list says that there are none, UnusableReply for what is no such reply.
    """
    entries = _entries(body)
    found = [image for image in map(_image, entries) if image][:wanted]
    if found:
        return found
    if any(entry.get("b64_json") or entry.get("url") for entry in entries):
        raise UnusableReply("no images")
    raise Refused


def write_reply(images: Sequence[DrawnImage], created: int, urls: Sequence[str] = ()) -> bytes:
    """The reply, with `urls` in the place of the images' bytes where there are some."""
    written = [_written_url(image, url) for image, url in zip(images, urls, strict=True)] if urls else None
    entries = map(_written_bytes, images) if written is None else written
    return b'{"created":%d,"data":[%s]}' % (created, b",".join(entries))


def first_base64(body: bytes) -> str | None:
    """The first image in a reply, as it is written there; None without one. Raises UnusableReply."""
    texts = (entry.get("b64_json") for entry in _entries(body))
    return next((text for text in texts if isinstance(text, str) and text), None)


def _entries(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        reply = read_strictly(body)
    except ValueError:
        raise UnusableReply("not JSON") from None
    data: object = cast("Mapping[str, Any]", reply).get("data") if isinstance(reply, dict) else None
    if not isinstance(data, list):
        raise UnusableReply("no list of images")
    rows = cast("list[object]", data)
    return [cast("Mapping[str, Any]", row) for row in rows if isinstance(row, dict)]


def _image(entry: Mapping[str, Any]) -> DrawnImage | None:
    text, revised = entry.get("b64_json"), entry.get("revised_prompt")
    if not isinstance(text, str):
        return None
    try:
        data = decoded(text)
    except ValueError:
        return None
    media_type = media_type_of(data)
    prompt = with_whole_characters(revised)[:MAX_PROMPT_CHARACTERS] if isinstance(revised, str) else ""
    return DrawnImage(data, media_type, prompt or None) if media_type else None


def _written_bytes(image: DrawnImage) -> bytes:
    return b'{"b64_json":"%s","revised_prompt":%s}' % (encoded(image.data), written_json(image.revised_prompt))


def _written_url(image: DrawnImage, url: str) -> bytes:
    return written_json({"url": url, "revised_prompt": image.revised_prompt})
