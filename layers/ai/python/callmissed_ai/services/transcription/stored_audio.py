"""Audio that a request names by `file_id` instead of having it: one of the tenant's files, read as an upload is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed.files.records import FileOwner
from callmissed.files.service import Files, OpenFile
from callmissed_ai.transports.multipart import FilePart

MAX_BYTES = 25 * 1024 * 1024
"""Maximum size of a file: what OpenAI takes, and what a process can have in memory several times."""

PURPOSE = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAudio(FilePart):
    """The bytes of a stored file, as `opened` has them."""

    opened: OpenFile


async def with_stored_audio(files: Files, owner: FileOwner, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """`fields` with the bytes of the file that they name, as their `file`.

    Raises ApiError 404 for a file that `owner` does not have for audio, 400 for one that is still awaited, 413 for one
    that is too large, 503.
    """
    file_id = fields.get("file_id")
    if file_id is None:
        return fields
    if not isinstance(file_id, str):
        raise invalid_request("Invalid 'file_id': it must be a string.", "file_id")
    if fields.get("file") is not None:
        raise invalid_request("Send 'file' or 'file_id', not both.", "file_id")
    opened = await files.open(owner, file_id, {PURPOSE})
    if opened.size > MAX_BYTES:
        message = f"The file has {opened.size:,} bytes, and a transcription takes at most {MAX_BYTES:,}."
        raise ApiError(413, "file_too_large", message, param="file_id")
    content = b"".join([chunk async for chunk in opened.chunks()])
    others = {name: value for name, value in fields.items() if name != "file_id"}
    return {**others, "file": StoredAudio(opened.file.filename, content, opened=opened)}
