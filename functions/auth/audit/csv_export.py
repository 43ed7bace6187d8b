"""The audit log as CSV, for spreadsheets: read and written page by page, bounded in rows and bytes.

A spreadsheet takes a cell for a formula that begins with one of a few letters. Such a cell gets an apostrophe before
it, as OWASP advises, and so does such a letter behind a semicolon, which spreadsheets of some countries take for the
separator. Tabs and line ends become spaces. JSON begins with a brace and has none of these, with semicolons by number.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from callmissed.audit.events import StoredEvent
from functions.auth.audit.schemas import AuditEventOut
from functions.auth.audit.service import AuditReader

COLUMNS = (
    "id",
    "created_at",
    "action",
    "resource_type",
    "resource_id",
    "user_id",
    "ip_address",
    "user_agent",
    "metadata_json",
)
MAX_ROWS = 5_000
MAX_BYTES = 3_000_000
"""Maximum size of an export: in Lambda's JSON, whose limit is 6 MB, every quotation mark takes two bytes."""

_MAX_USER_AGENT = 200
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMULA = re.compile(r"(?:^|(?<=;))(?=[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a formula would begin, in letters of the usual width or of the full one."""


@dataclass(frozen=True, slots=True)
class CsvExport:
    """An export. `truncated` says that there may be more events than it has."""

    text: str
    truncated: bool


async def export(reader: AuditReader) -> CsvExport:
    """The events of `reader` as CSV, as many as there is room for."""
    lines, room = [_line(COLUMNS)], MAX_BYTES
    async for event in reader.all():
        line = _line(_cells(event))
        room -= len(line.encode())
        if len(lines) > MAX_ROWS or room < 0:
            return CsvExport("".join(lines), truncated=True)
        lines.append(line)
    return CsvExport("".join(lines), reader.truncated)


def _cells(stored: StoredEvent) -> list[str]:
    shown = AuditEventOut.of(stored).model_dump()
    texts = [_harmless(shown[name] or "") for name in COLUMNS[:-2]]
    metadata = json.dumps(shown["metadata"], ensure_ascii=False, separators=(",", ":"))
    return [*texts, _harmless(shown["user_agent"][:_MAX_USER_AGENT]), metadata.replace(";", r"\u003b")]


def _harmless(text: str) -> str:
    """`text` as a cell that is no formula."""
    return _FORMULA.sub("'", _CONTROLS.sub(" ", text))


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
