"""Bodies of `multipart/form-data`: the fields by name, within bounds. This is the one place that reads them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.transports.multipart import FilePart
from functions.inference.body import parse_object

MEDIA_TYPE = "multipart/form-data"
MAX_PARTS = 64
MAX_NAME_CHARACTERS = 100
MAX_VALUE_BYTES = 65_536
_MAX_FILE_NAME_CHARACTERS = 255
_LIST = "[]"

_JSON = "application/json"

FormValue = str | list[str] | FilePart


@dataclass(frozen=True, slots=True)
class CallBody:
    """The fields of a call, and the bytes that are the same for the same fields."""

    fields: Mapping[str, Any]
    identity: bytes


@dataclass(slots=True)
class _Part:
    """A part while it is read."""

    headers: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    name: bytes = b""
    value: bytes = b""
    body: bytearray = field(default_factory=bytearray)


def read_fields(request: Request, raw: bytes) -> CallBody:
    """The fields of a form, or of a JSON object that names a file instead of having it. Raises ApiError 400."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == _JSON:
        return CallBody(parse_object(raw), raw)
    form = parse_form(raw, content_type)
    return CallBody(form, form_identity(form))


def parse_form(raw: bytes, content_type: str) -> dict[str, FormValue]:
    """The fields of a form. One that is repeated, or whose name ends in `[]`, is a list under its plain name.

    Raises ApiError 400 for what is no form, is above the bounds or has a file twice.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != MEDIA_TYPE.encode() or not 0 < len(boundary) <= 256:
        raise invalid_request("The body must be multipart/form-data with a boundary.")
    found: dict[str, FormValue] = {}
    for part in _parts(raw, boundary):
        _add(found, part)
    return found


def form_identity(form: Mapping[str, object]) -> bytes:
    """What makes two forms the same: names and values, whatever the boundary between them."""
    return json.dumps({name: _identity(value) for name, value in form.items()}, sort_keys=True).encode()


def _identity(value: object) -> object:
    if isinstance(value, FilePart):
        return {"file": value.name, "sha256": hashlib.sha256(value.content).hexdigest()}
    return value


def _parts(raw: bytes, boundary: bytes) -> list[_Part]:
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin,
                "on_part_data": reader.data,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_end": reader.end,
            },
        )
        parser.write(raw)
        parser.finalize()
    except FormParserError:
        raise invalid_request("The body is not valid multipart/form-data.") from None
    if not reader.whole:
        raise invalid_request("The form broke off.")
    return reader.parts


class _Reader:
    """Takes what the parser finds. Raises ApiError 400 above the bounds."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.whole = False

    def begin(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise invalid_request(f"The form has more than {MAX_PARTS} fields.")
        self.parts.append(_Part())

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].value += data[start:end]

    def header_end(self) -> None:
        part = self.parts[-1]
        part.headers[part.name.lower()] = part.value
        part.name = part.value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].body += data[start:end]

    def end(self) -> None:
        self.whole = True


def _add(found: dict[str, FormValue], part: _Part) -> None:
    _, options = parse_options_header(part.headers.get(b"content-disposition", b""))
    name = _text(options.get(b"name", b""), "name")
    if not name or len(name) > MAX_NAME_CHARACTERS:
        raise invalid_request(f"A field's name has 1 to {MAX_NAME_CHARACTERS} characters.")
    if b"filename" in options:
        if name in found:
            raise invalid_request(f"The file '{name}' occurs twice.", name)
        file_name = _text(options[b"filename"], name)[:_MAX_FILE_NAME_CHARACTERS]
        found[name] = FilePart(file_name, bytes(part.body))
        return
    if len(part.body) > MAX_VALUE_BYTES:
        raise invalid_request(f"'{name}' has more than {MAX_VALUE_BYTES:,} bytes.", name)
    found[name.removesuffix(_LIST)] = _joined(found, name, _text(bytes(part.body), name))


def _joined(found: Mapping[str, FormValue], name: str, text: str) -> FormValue:
    before = found.get(name.removesuffix(_LIST))
    match before:
        case None:
            return [text] if name.endswith(_LIST) else text
        case list():
            return [*before, text]
        case str():
            return [before, text]
        case FilePart():
            raise invalid_request(f"'{name}' occurs twice.", name)


def _text(value: bytes, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _not_utf8(name) from None


def _not_utf8(name: str) -> ApiError:
    return invalid_request(f"The field '{name}' is not UTF-8.", name)
