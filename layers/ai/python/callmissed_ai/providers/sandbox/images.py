"""Images in a request: their format and size, read from the first bytes; the sandbox does not decode images.

Formats are PNG, JPEG, GIF and WebP, the four that OpenAI accepts.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from math import ceil

from callmissed_ai.dialects.openai_chat.typed_request import ImageUrl
from callmissed_ai.providers.sandbox.rejection import Rejected

_LOW_DETAIL_TOKENS = 85
_TILE_TOKENS = 170
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


@dataclass(frozen=True, slots=True)
class SeenImage:
    """An image: its description, and its tokens."""

    description: str
    tokens: int


def read_image(image: ImageUrl, param: str) -> SeenImage:
    """The description of `image`. Raises Rejected, naming `param`, unless it is a web address or a readable image."""
    if image.url.startswith(("http://", "https://")):
        shown = image.url[:100]
        description = f"an image at {shown}, which it can't fetch, because the sandbox has no network"
        return SeenImage(description, min(_LOW_DETAIL_TOKENS, len(image.url)))
    data = _decode(image.url, param)
    found = image_size(data)
    if found is None or not (found[1] and found[2]):
        message = "You uploaded an unsupported image. Please make sure your image is a png, jpeg, gif or webp."
        raise Rejected(message, param, "invalid_image_format")
    kind, width, height = found
    tokens = _LOW_DETAIL_TOKENS if image.detail == "low" else _tile_tokens(width, height)
    return SeenImage(f"an image of {width}×{height} {kind}", min(tokens, len(image.url)))  # noqa: RUF001


def image_size(data: bytes) -> tuple[str, int, int] | None:
    """Format, width and height in pixels of the image in `data`, or None for unknown first bytes."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return ("PNG", *struct.unpack_from(">II", data, 16))
        if data.startswith((b"GIF87a", b"GIF89a")):
            return ("GIF", *struct.unpack_from("<HH", data, 6))
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except struct.error:
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[str, int, int] | None:
    at = 2
    while True:
        marker, kind, length = struct.unpack_from(">BBH", data, at)
        if marker != 0xFF:
            return None
        if kind in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return "JPEG", width, height
        at += 1 if kind == 0xFF else 2 + length


def _webp_size(data: bytes) -> tuple[str, int, int] | None:
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return "WebP", width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return "WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        width_low, width_high, height_low, height_high = struct.unpack_from("<HBHB", data, 24)
        return "WebP", (width_high << 16 | width_low) + 1, (height_high << 16 | height_low) + 1
    return None


def _decode(url: str, param: str) -> bytes:
    head, comma, data = url.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64") and comma):
        message = "Invalid image URL. Expected an http(s) URL or a base64-encoded data URL of an image."
        raise Rejected(message, param, "invalid_image_url")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("Invalid base64 in the image's data URL.", param, "invalid_base64") from None


def _tile_tokens(width: int, height: int) -> int:
    """OpenAI's count: fit into 2048 by 2048, then the shorter side to 768, then tiles of 512."""
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    tiles = ceil(width * scale / 512) * ceil(height * scale / 512)
    return _LOW_DETAIL_TOKENS + _TILE_TOKENS * tiles
