"""Splitting of long texts, on any text."""

import regex
from hypothesis import given
from hypothesis import strategies as st

from functions.bots.channels.whatsapp.text_parts import MAX_PART, text_parts, units

LIMIT = 24
FAMILY = "👨‍👩‍👧"
GRAPHEMES = st.sampled_from(
    ["a", "b", "नि", "क्ष", "ந", "é", "e\u0301", "👍🏽", FAMILY, "🇮🇳", ".", "।", "?", " ", "  ", "\n", "\n\n", "\t"]
)
TEXTS = st.lists(GRAPHEMES, max_size=120).map("".join)


def bare(text: str) -> str:
    return "".join(text.split())


@given(TEXTS)
def test_parts_hold_everything_but_white_space_in_order(text: str) -> None:
    parts = text_parts(text, LIMIT)
    assert bare("".join(parts)) == bare(text)
    assert all(part.strip() for part in parts)


@given(TEXTS)
def test_no_part_is_over_the_limit(text: str) -> None:
    assert all(units(part) <= LIMIT for part in text_parts(text, LIMIT))


@given(TEXTS)
def test_no_grapheme_is_cut(text: str) -> None:
    whole = [grapheme for grapheme in regex.findall(r"\X", text) if grapheme.strip()]
    parts = text_parts(text, LIMIT)
    assert [grapheme for part in parts for grapheme in regex.findall(r"\X", part) if grapheme.strip()] == whole


@given(st.text(max_size=200))
def test_any_text_is_split_within_the_limit(text: str) -> None:
    parts = text_parts(text, LIMIT)
    assert all(0 < units(part) <= LIMIT for part in parts)
    assert bare("".join(parts)) == bare(text)


def test_short_text_is_as_it_is() -> None:
    assert text_parts("  hello \n") == ["  hello \n"]
    assert text_parts("x" * MAX_PART) == ["x" * MAX_PART]
    assert text_parts(" \n") == []


def test_part_ends_at_the_largest_unit_that_leaves_it_half_full() -> None:
    assert text_parts("one two\n\nthree four. five six", 22) == ["one two\n\nthree four.", "five six"]
    assert text_parts("one two three\n\nfour five six", 22) == ["one two three", "four five six"]
    assert text_parts("यह पहला है। यह दूसरा है।", 14) == ["यह पहला है।", "यह दूसरा है।"]
    assert text_parts("x" * 30, 22) == ["x" * 22, "x" * 8]


def test_grapheme_over_the_limit_is_cut() -> None:
    endless = "e" + "\u0301" * 100
    parts = text_parts(endless, LIMIT)
    assert "".join(parts) == endless
    assert all(units(part) <= LIMIT for part in parts)


def test_longest_text_has_few_parts() -> None:
    assert len(text_parts("word. " * 10_922)) <= 33
    assert len(text_parts("😀" * 32_768)) <= 33
