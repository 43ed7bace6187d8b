"""Requests that create a file: a form with the bytes, or a JSON object that announces them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callmissed.errors import ApiError, invalid_request
from callmissed.files.records import MAX_LIFETIME_SECONDS, MIN_LIFETIME_SECONDS, NewFile
from callmissed_ai.transports.multipart import FilePart
from functions.inference.body import parse_object, read_body
from functions.inference.multipart import MEDIA_TYPE, FormValue, form_identity, parse_form

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_FILENAME = 255

Purpose = Literal["assistants", "audio", "batch", "evals", "user_data", "vision"]
PURPOSES: tuple[str, ...] = get_args(Purpose)
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that no name shows: control characters, half surrogates, separators of lines."""
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Characters that turn the direction of a text, with which a name can look as if it ended in another extension."""

_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


class ExpiresAfter(BaseModel):
    """When a file goes: so many seconds after it was created."""

    model_config = ConfigDict(extra="forbid")

    anchor: Literal["created_at"]
    seconds: int = Field(ge=MIN_LIFETIME_SECONDS, le=MAX_LIFETIME_SECONDS)


class FileForm(BaseModel):
    """The fields of a form beside the file."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    expires_after: ExpiresAfter | None = Field(default=None, description="Without it, a file goes after 30 days.")


class FileUploadForm(FileForm):
    """The form of an upload."""

    file: str = Field(json_schema_extra={"format": "binary"}, description="The file, with its name.")


class FileAnnouncement(FileForm):
    """A file that is to come through the upload form in the answer."""

    filename: str = Field(min_length=1, max_length=MAX_FILENAME)
    bytes: int = Field(ge=1, le=MAX_FILE_BYTES, strict=True, description="Its exact size.")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to create. `body` is None for one that is to come; `digest` identifies what was asked for."""

    new: NewFile
    digest: bytes
    body: bytes | None = None


async def read_upload(request: Request) -> Upload:
    """The file that a request creates. Raises ApiError 400, 413."""
    raw, content_type = await read_body(request), request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == MEDIA_TYPE:
        return _uploaded(parse_form(raw, content_type))
    asked = _checked(FileAnnouncement, parse_object(raw))
    return Upload(_new_file(asked, asked.filename, asked.bytes), raw)


def _uploaded(form: Mapping[str, FormValue]) -> Upload:
    file = form.get("file")
    if not isinstance(file, FilePart):
        raise invalid_request("A file is needed: a part 'file' with a file name.", "file")
    if not file.content:
        raise invalid_request("Invalid 'file': it is empty.", "file")
    name = file.name.replace("%22", '"')  # browsers and SDKs write quotes so
    return Upload(_new_file(_form(form), name, len(file.content)), form_identity(form), file.content)


def _form(form: Mapping[str, FormValue]) -> FileForm:
    """The fields of a form. Raises ApiError 400."""
    fields = {name: value for name, value in form.items() if name != "file"}
    for name in fields:
        if name not in _FIELDS:
            raise invalid_request(f"Unknown field '{_shown(name)}'.", _shown(name))
    expiry = {name[len("expires_after[") : -1]: value for name, value in fields.items() if name != "purpose"}
    given: dict[str, Any] = {"purpose": fields["purpose"]} if "purpose" in fields else {}
    return _checked(FileForm, given | ({"expires_after": expiry} if expiry else {}))


def _new_file(asked: FileForm, filename: str, size: int) -> NewFile:
    lifetime = asked.expires_after.seconds if asked.expires_after else MAX_LIFETIME_SECONDS
    return NewFile(clean_filename(filename), asked.purpose, size, lifetime)


def clean_filename(name: str) -> str:
    """The last part of a path, without characters that nobody sees. Raises ApiError 400 for a long one."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(letter for letter in unicodedata.normalize("NFC", last) if _is_seen(letter)).strip()
    if len(seen) > MAX_FILENAME:
        raise invalid_request(f"Invalid 'filename': it is longer than {MAX_FILENAME} characters.", "filename")
    return seen if seen.strip(".") else "file"


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter) not in _UNSEEN and letter not in _TURNING


def _checked(model: type[Any], given: object) -> Any:
    """`given` as the model has it. Raises ApiError 400 that names the first field that is wrong."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> ApiError:
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = _shown(".".join(map(str, problem["loc"])))
    return invalid_request(f"Invalid '{param}': {problem['msg']}.", param)


def _shown(name: str) -> str:
    return name[:80].encode(errors="replace").decode()
