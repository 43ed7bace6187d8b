"""Words by which an end user opts out: the whole message, without case and punctuation, in any script."""

import pytest

from functions.bots.bots.config import OPT_IN_WORDS, OPT_OUT_WORDS
from functions.bots.inbound.opt_out import is_one_of

FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "STOP")
WORDS = [
    "STOP",
    "stop",
    " Stop. ",
    "«stop!»",
    FULL_WIDTH,
    "unsubscribe",
    "STOP ⛔️",
    "Stop ❤️",
    "stop!\ufe0f",
    "बंद  करो।",
    "रोकें",
    "நிறுத்து",
]


@pytest.mark.parametrize("text", WORDS)
def test_word_is_found_without_case_and_punctuation(text: str) -> None:
    assert is_one_of(text, OPT_OUT_WORDS)
    assert not is_one_of(text, OPT_IN_WORDS)


@pytest.mark.parametrize("text", [None, "", "  ", "!", "please stop", "stop it", "stopped", "STOP" + " " * 300, "बंद"])
def test_anything_else_is_a_message(text: str | None) -> None:
    assert not is_one_of(text, OPT_OUT_WORDS)


@pytest.mark.parametrize("text", ["Start!", "शुरू करो", "शुरू", "தொடங்கு"])
def test_words_of_opting_in_are_found(text: str) -> None:
    assert is_one_of(text, OPT_IN_WORDS)
