"""Forms as providers get them."""

from collections.abc import Iterator
from email import message_from_bytes
from typing import Any


def form_of(body: bytes, media_type: str) -> Iterator[tuple[str, str]]:
    """The fields of a form, in their order."""
    form = message_from_bytes(b"Content-Type: " + media_type.encode() + b"\r\n\r\n" + body)
    parts: Any = form.get_payload()
    for part in parts:
        yield part.get_param("name", header="content-disposition"), part.get_payload()
