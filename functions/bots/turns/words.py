"""Comparison of what people write: without case, punctuation and width."""

import unicodedata
from collections.abc import Iterable

from functions.bots.conversations.words import folded, running_words


def equal_form(text: str) -> str:
    """What equal texts have in common: their words, or everything where there are none, as in a row of symbols."""
    return " ".join(running_words(text) or folded(text).split())


def says_one_of(text: str, phrases: Iterable[str]) -> bool:
    """Whether one of `phrases` stands in `text`.

    Phrases of scripts with upper and lower case are found as whole words. Others are found anywhere: such scripts may
    have no spaces between words, or write a word's endings and the next word together.
    """
    said = running_words(text)
    return any(_stands_in(said, words) for words in map(running_words, phrases) if words)


def _stands_in(said: list[str], words: list[str]) -> bool:
    phrase = "".join(words)
    if any(unicodedata.category(letter) == "Lo" for letter in phrase):
        return phrase in "".join(said)
    return f" {' '.join(words)} " in f" {' '.join(said)} "
