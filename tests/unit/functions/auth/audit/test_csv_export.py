"""No cell of an export is a formula, whatever separator a spreadsheet takes."""

import csv
import io
import json
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.audit.events import Actor, ActorKind, AuditEvent, StoredEvent
from functions.auth.audit.csv_export import export
from functions.auth.audit.service import AuditReader

FORMULAS = "=+-@\t\r"
TEXT = st.text(st.sampled_from("=+-@\t\r\n;,\"' a1"), max_size=8)


class Reader:
    truncated = False

    def __init__(self, event: StoredEvent) -> None:
        self._event = event

    async def all(self) -> AsyncGenerator[StoredEvent]:
        yield self._event


async def exported(text: str) -> str:
    actor = Actor(ActorKind.PERSON, "usr_1", "203.0.113.1", text)
    stored = StoredEvent("01", "2026-11-27", AuditEvent("tnt_1", text, text, text, actor, {text: text}))
    return (await export(cast("AuditReader", Reader(stored)))).text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "a;=1", "\uff1d1", 'a; "=1'])
async def test_formulas_become_text(text: str) -> None:
    _, row = csv.reader(io.StringIO(await exported(text)))
    assert row[2] != text
    assert row[2].replace("'", "") == text
    assert json.loads(row[8]) == {text: text}


async def test_tabs_and_line_ends_become_spaces() -> None:
    _, row = csv.reader(io.StringIO(await exported("\t=1\ra\nb")))
    assert row[2] == "' =1 a b"


@given(TEXT)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_no_cell_begins_like_a_formula(separator: str, text: str) -> None:
    whole = await exported(text)
    cells = [cell for row in csv.reader(io.StringIO(whole), delimiter=separator) for cell in row]
    assert not [cell for cell in cells if cell.lstrip(" ")[:1] in tuple(FORMULAS)]


async def test_ordinary_text_stays_as_it_is() -> None:
    text = "Mozilla/5.0 (X11; Linux x86_64) a-b=c@d"
    _, row = csv.reader(io.StringIO(await exported(text)))
    assert row[2] == text
