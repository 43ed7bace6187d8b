"""Files as callers see them."""

from typing import Any
from urllib.parse import quote

from callmissed.clock import SECOND
from callmissed.files.records import FileState, StoredFile
from callmissed.files.service import FilePage
from callmissed.files.storage import UploadForm

_UNQUOTED = str.maketrans({'"': "_", "\\": "_"})


def file_object(file: StoredFile) -> dict[str, Any]:
    """OpenAI's file object. Its status is `pending` until the bytes are there."""
    return {
        "id": file.file_id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created // SECOND,
        "expires_at": file.expires // SECOND,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed" if file.state is FileState.UPLOADED else "pending",
        "status_details": None,
    }


def promised_object(file: StoredFile, form: UploadForm) -> dict[str, Any]:
    """A file object with the form that uploads its bytes."""
    upload = {
        "method": "POST",
        "url": form.url,
        "fields": dict(form.fields),
        "expires_at": file.form_ends // SECOND,
    }
    return {**file_object(file), "upload": upload}


def file_list(page: FilePage) -> dict[str, Any]:
    """OpenAI's list of files."""
    data = [file_object(file) for file in page.files]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": page.has_more,
    }


def disposition(filename: str) -> str:
    """`Content-Disposition` of a download: the name in ASCII for old clients, and in full (RFC 6266, RFC 8187)."""
    plain = filename.encode("ascii", errors="replace").decode().replace("?", "_").translate(_UNQUOTED)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
