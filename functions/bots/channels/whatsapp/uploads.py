"""Files for Meta, as forms."""

import re
import secrets
from dataclasses import dataclass

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,80}/[A-Za-z0-9][A-Za-z0-9.+-]{0,80}")
_UNSAFE = re.compile(r"[^\w. ()-]", re.ASCII)
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file with its name and media type."""

    name: str
    mime_type: str
    content: bytes


def media_form(file: UploadFile) -> tuple[bytes, str]:
    """The form that uploads `file`, and its content type.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
    """
    boundary = secrets.token_hex(16)
    mime_type = file.mime_type.partition(";")[0].strip()
    mime_type = mime_type if _TYPE.fullmatch(mime_type) else "application/octet-stream"
    name = _UNSAFE.sub("_", file.name)[-_MAX_NAME:] or "file"
    parts = [
        _part(boundary, 'name="messaging_product"', b"whatsapp"),
        _part(boundary, 'name="type"', mime_type.encode()),
        _part(boundary, f'name="file"; filename="{name}"\r\nContent-Type: {mime_type}', file.content),
        f"--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, disposition: str, content: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"
