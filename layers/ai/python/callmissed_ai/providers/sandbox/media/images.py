"""The sandbox's images: shapes and colours from the hash of the prompt, the same for the same request.

Pillow draws them where it is installed, as it is on developers' machines. Elsewhere they are stripes, whose PNG needs
nothing but zlib (https://www.w3.org/TR/png-3/).
"""

import hashlib
import random
import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from callmissed_ai.dialects.openai_images.reply import DrawnImage, write_reply
from callmissed_ai.dialects.openai_images.request import sides

PILLOW, ZLIB = "pillow", "zlib"
_CREATED = 1_780_272_000
_COLOURS = 16
_SHAPES = 12
_FASTEST = 1


def images_body(body: Mapping[str, Any]) -> tuple[bytes, str]:
    """The reply to a request for images, and the engine that drew them."""
    size = sides(body["size"])
    data = [draw(_seed(body, number), *size) for number in range(int(body["n"]))]
    images = [DrawnImage(each, "image/png") for each in data]
    return write_reply(images, _CREATED), ZLIB if _pillow() is None else PILLOW


def draw(seed: bytes, width: int, height: int) -> bytes:
    """A PNG of that size."""
    chance = random.Random(seed)  # noqa: S311 - the same picture for the same request, and no secret
    return _drawn(chance, width, height) if _pillow() else striped(chance, width, height)


def striped(chance: random.Random, width: int, height: int) -> bytes:
    """Stripes as a PNG with a palette."""
    breadth = max(1, width // _COLOURS)
    row = b"\0" + bytes(min(at // breadth, _COLOURS - 1) for at in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", _palette(chance)), (b"IDAT", zlib.compress(row * height, _FASTEST)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (*chunks, (b"IEND", b"")))


def _drawn(chance: random.Random, width: int, height: int) -> bytes:
    from PIL import Image as Picture
    from PIL import ImageDraw

    picture = Picture.new("P", (width, height))
    picture.putpalette(_palette(chance))
    pen = ImageDraw.Draw(picture)
    for number in range(_SHAPES):
        across, down = sorted(chance.randrange(width) for _ in "ab"), sorted(chance.randrange(height) for _ in "ab")
        shape = pen.ellipse if number % 2 else pen.rectangle
        shape((across[0], down[0], across[1], down[1]), fill=chance.randrange(_COLOURS))
    file = BytesIO()
    picture.save(file, "PNG", compress_level=_FASTEST)
    return file.getvalue()


def _pillow() -> Any:
    try:
        import PIL
    except ImportError:
        return None
    return PIL


def _palette(chance: random.Random) -> bytes:
    return chance.randbytes(3 * _COLOURS)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _seed(body: Mapping[str, Any], number: int) -> bytes:
    asked = [body.get(name) for name in ("prompt", "negative_prompt", "seed", "steps")]
    return hashlib.sha256(repr((asked, number)).encode()).digest()
