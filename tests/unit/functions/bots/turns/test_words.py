"""Phrases by which an end user asks for a person, and which texts are equal."""

import pytest

from functions.bots.turns.words import equal_form, says_one_of


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("please: TALK to\n a human!", "talk to a human"),
        ("我要人工客服", "人工客服"),
        ("ขอคุยกับพนักงานค่ะ", "คุยกับพนักงาน"),
        ("मुझे इं\u200dसान से बात करनी है", "इंसान से बात"),
        ("மனிதரிடம் பேசவேண்டும்", "மனிதரிடம் பேச"),
        ("மனிதரிடம்பேச வேண்டும்", "மனிதரிடம் பேச"),
    ],
)
def test_phrase_is_found_in_any_script(text: str, phrase: str) -> None:
    assert says_one_of(text, [phrase])


@pytest.mark.parametrize("text", ["Which agents and reagents?", "a gent", "", "😀"])
def test_part_of_a_word_is_no_phrase(text: str) -> None:
    assert not says_one_of(text, ["agent", "!"])


def test_texts_without_words_are_equal_only_if_they_look_so() -> None:
    assert equal_form("Thank you!") == equal_form("thank  YOU")
    assert equal_form("❤️") == equal_form(" ❤ ")
    assert len({equal_form(text) for text in ("👍", "😂", "?!", "!?", "")}) == 5
