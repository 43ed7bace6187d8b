"""What is printed for people and for scripts."""

import json

import pytest

from callmissed.keys.records import ApiKey
from cli.output import Output
from cli.rows import AUDIT_EVENTS, AUDIT_WIDTHS, KEYS, key_row

ROW = {"id": "key_1", "name": "[bold]x[/]", "models": ["a", "b"], "budget": None, "left": {"llm": 3, "stt": None}}
API_KEY = ApiKey(
    tenant="tnt_1",
    key_id="key_1",
    name="server",
    mode="live",
    masked="m",
    hashes=frozenset(),
    newest="",
    permissions=["*"],
    scopes=[],
    domains=frozenset({"*"}),
    models=["*"],
    search_providers=["*"],
    rpm=3000,
    rpm_from_plan=True,
    budget=None,
    expires_at=None,
    created_at="2026-11-27T05:06:07.123Z",
)
COLUMNS = {"id": "key", "name": "name", "models": "models", "budget": "budget"}


def test_json_is_the_row_itself_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)

    output.record({**ROW, "name": "नमस्ते"})
    output.warn("beside it")

    printed = capsys.readouterr()
    assert json.loads(printed.out) == {**ROW, "name": "नमस्ते"}
    assert printed.err == "beside it\n"


def test_a_list_in_json_has_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).rows([ROW, ROW], COLUMNS)

    assert json.loads(capsys.readouterr().out) == [ROW, ROW]


def test_an_empty_list_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).rows([], COLUMNS)

    assert json.loads(capsys.readouterr().out) == []


def test_lines_of_json_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).lines([ROW, ROW], COLUMNS, dict.fromkeys(COLUMNS, 1), heading=True)

    assert [json.loads(text) for text in capsys.readouterr().out.splitlines()] == [ROW, ROW]


def test_a_table_shows_its_columns_and_takes_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows([ROW], COLUMNS)

    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["key", "name", "models", "budget"]
    assert row.split("  ")[:2] == ["key_1", "[bold]x[/]"]
    assert "a, b" in row
    assert row.rstrip().endswith("—")


def test_no_text_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {"name": "\x1b[2J\x9b31m\x7f\u202eevil"}
    for as_json in (False, True):
        output = Output(as_json=as_json)
        output.record({"id": "key_1", "metadata": {"after": hostile}, **hostile})
        output.lines([{"id": "key_1", **hostile}], {"id": "key", "name": "name"}, {"id": 5, "name": 40}, heading=False)
        output.fail(hostile["name"])

        printed = capsys.readouterr()
        assert not set(printed.out + printed.err) & set("\x1b\x9b\x7f\u202e")
        assert "\\u001b[2J\\u009b31m\\u007f\\u202eevil" in printed.out.replace("\n", "")
    lines = printed.out.splitlines()
    assert json.loads(lines[-1])["name"] == hostile["name"]


def test_a_record_names_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).record({"is_on": True, "off": False, "left": ROW["left"]})

    lines = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    assert lines == ["is on yes", "off no", "left llm 3, stt —"]


SECRET = "cm_live_" + "s" * 46
WIDE = {
    "id": "key_" + "k" * 24,
    "secret": SECRET,
    "name": "a name of some words",
    "url": "https://example.com/" + "u" * 100,
    "created_at": "2026-11-27T05:06:07.123Z",
}


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, kind: str) -> str:
    """WIDE as a record or in a table, in a terminal of `width`."""
    monkeypatch.setenv("COLUMNS", str(width))
    output, columns = Output(as_json=False), {name: name for name in WIDE}
    match kind:
        case "record":
            output.record(WIDE)
        case "rows":
            output.rows([WIDE, WIDE], columns)
        case _:
            output.lines([WIDE], columns, dict.fromkeys(WIDE, 10), heading=True)
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", ["record", "rows", "lines"])
@pytest.mark.parametrize("width", [20, 40, 80, 100, 200, 400])
def test_nothing_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, kind: str
) -> None:
    text = printed(capsys, monkeypatch, width, kind)

    assert "…" not in text
    joined = "".join(text.split())
    assert WIDE["id"] in joined or kind == "lines"
    assert (SECRET in text) is True or kind != "record"  # in one piece, to be copied


@pytest.mark.parametrize("width", [78, 80, 81, 90, 100])
def test_no_letter_of_a_folded_text_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    details = {"before": "suspended", "reason": "on the local stack", "after": "active"}
    row = {**dict.fromkeys(AUDIT_EVENTS, ""), "action": "tenant.reactivate", "who": WIDE["id"], "metadata": details}

    Output(as_json=False).lines([row], AUDIT_EVENTS, AUDIT_WIDTHS, heading=True)

    words = capsys.readouterr().out.split()
    assert {"local", "stack,", "active"} <= set(words)


@pytest.mark.parametrize("kind", ["record", "rows", "lines"])
def test_lines_fit_80_columns_but_for_a_word_that_is_longer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lines = printed(capsys, monkeypatch, 80, kind).splitlines()

    assert [line for line in lines if len(line) > 80 and line != WIDE["url"]] == []


def test_a_table_shows_what_fits_and_each_id_in_one_piece(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [{**key_row(API_KEY), "id": WIDE["id"], "masked": "cm_live_abcd…wxyz"}]

    Output(as_json=False).rows(rows, KEYS)

    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["key", "name", "secret", "mode", "status", "rpm"]
    assert row.split() == [WIDE["id"], "server", "cm_live_abcd…wxyz", "live", "active", "3000"]


def test_times_are_shown_to_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).record({"at": WIDE["created_at"]})

    assert capsys.readouterr().out.split() == ["at", "2026-11-27T05:06:07Z"]


def test_lines_without_a_heading_line_up_with_those_before(capsys: pytest.CaptureFixture[str]) -> None:
    output, widths = Output(as_json=False), {"id": 8, "name": 12, "models": 6, "budget": 6}

    output.lines([ROW], COLUMNS, widths, heading=True)
    output.lines([ROW], COLUMNS, widths, heading=False)
    output.lines([], COLUMNS, widths, heading=False)

    _, first, second = capsys.readouterr().out.splitlines()
    assert first == second
