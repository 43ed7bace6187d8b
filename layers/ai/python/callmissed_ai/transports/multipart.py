"""Forms with files, as callers send them and as providers take them. https://www.rfc-editor.org/rfc/rfc7578"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from callmissed_ai.transports.base import UpstreamCall

_UNSAFE = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file: its name, which says nothing about what is in it, and its bytes."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


def form_call(path: str, parts: Iterable[tuple[str, str | FilePart]]) -> UpstreamCall:
    """A call with a form of these fields."""
    boundary = secrets.token_hex(16)
    body = b"".join(_part(boundary, name, value) for name, value in parts) + f"--{boundary}--\r\n".encode()
    return UpstreamCall(path, body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})


def _part(boundary: str, name: str, value: str | FilePart) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name.translate(_UNSAFE)}"'
    if isinstance(value, str):
        return f"{head}\r\n\r\n{value}\r\n".encode()
    named = f'{head}; filename="{value.name.translate(_UNSAFE)}"\r\nContent-Type: {value.media_type}\r\n\r\n'
    return named.encode() + value.content + b"\r\n"
