"""What is printed for people and for scripts."""

import json

import pytest

from cli.output import Output

ROW = {"id": "key_1", "name": "[bold]x[/]", "models": ["a", "b"], "budget": None, "left": {"llm": 3, "stt": None}}
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


def test_a_record_names_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).record({"is_on": True, "off": False, "left": ROW["left"]})

    lines = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    assert lines == ["is on yes", "off no", "left llm 3, stt —"]


def test_a_narrow_terminal_breaks_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")

    Output(as_json=False).record({"secret": "s" * 54})

    assert "s" * 54 in capsys.readouterr().out


def test_lines_without_a_heading_line_up_with_those_before(capsys: pytest.CaptureFixture[str]) -> None:
    output, widths = Output(as_json=False), {"id": 8, "name": 12, "models": 6, "budget": 6}

    output.lines([ROW], COLUMNS, widths, heading=True)
    output.lines([ROW], COLUMNS, widths, heading=False)
    output.lines([], COLUMNS, widths, heading=False)

    _, first, second = capsys.readouterr().out.splitlines()
    assert first == second
