"""Images for tests, and a store of their bytes in memory."""

import base64
import struct
import zlib
from typing import Any

from callmissed.aws.buckets import BucketUnavailable


def png(number: int = 0) -> bytes:
    """A PNG of one pixel; each number has another colour."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" + number.to_bytes(3, "big"))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0 and so on \xff\xd9"
WEBP = b"RIFF\x10\0\0\0WEBPVP8 and so on"


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def images_reply(*images: bytes, **more: Any) -> dict[str, Any]:
    """A provider's reply with these images."""
    return {"created": 1, "data": [{"b64_json": base64_of(image), **more} for image in images]}


class MemoryObjects:
    """Objects by name; implements `ImageObjects`. Fails while `failing`."""

    def __init__(self) -> None:
        self.bodies: dict[str, tuple[bytes, str]] = {}
        self.failing = False

    async def keep(self, name: str, body: bytes, media_type: str = "") -> None:
        self._check()
        self.bodies[name] = body, media_type

    async def url(self, name: str, media_type: str, seconds: int) -> str:
        self._check()
        return f"memory://{name}"

    def behind(self, url: str) -> bytes:
        """The bytes at a URL."""
        return self.bodies[url.removeprefix("memory://")][0]

    def _check(self) -> None:
        if self.failing:
            raise BucketUnavailable("as the test asked")
