"""Which words of a message can be searched for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.clock import Micros
from functions.bots.conversations.messages import MessageState, StoredMessage
from functions.bots.conversations.words import MAX_WORD, MAX_WORDS, word_items, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where is MY order, please? my ORDER!", ["where", "is", "my", "order", "please"]),
        ("Straße STRASSE", ["strasse"]),
        ("e\u0301t\u00e9", ["\u00e9t\u00e9"]),
        ("बंद करो", ["बंद", "करो"]),
        ("நிறுத்து, தொடங்கு", ["நிறுத்து", "தொடங்கு"]),
        ("क्\u200dष", ["क्ष"]),
        ("\uff21\uff22\uff11 x²", ["ab1", "x2"]),
        ("A-17/b_c@d.e", ["a", "17", "b", "c", "d", "e"]),
        ("😀 …! ❤️", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=200))
def test_words_of_words_are_the_same(text: str) -> None:
    words = words_of(text)

    assert words_of(" ".join(words)) == words
    assert words_of(text.upper().lower()) == words_of(text.upper())


def test_a_message_is_found_by_a_bounded_number_of_words() -> None:
    text = " ".join([*(f"w{number}" for number in range(300)), "x" * 100])
    message = StoredMessage("tnt_1", "conv_1", "msg_1", "user", "text", MessageState.RECEIVED, Micros(0), text)

    items = list(word_items(message))

    assert len(items) == MAX_WORDS
    assert items[0] == {"word": "tnt_1#w0", "message": "msg_1#conv_1"}
    assert words_of("x" * 100) == ["x" * MAX_WORD]
