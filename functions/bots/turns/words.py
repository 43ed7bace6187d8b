"""Comparison of what people write: without case, punctuation and width."""

import unicodedata
from collections.abc import Iterable


def words_of(text: str) -> tuple[str, ...]:
    """The words of `text`, casefolded; marks belong to the letters before them, as in Hindi."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    spaced = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in folded)
    return tuple(spaced.split())


def says_one_of(text: str, phrases: Iterable[str]) -> bool:
    """Whether the words of one of `phrases` stand in `text`, one after the other."""
    said = f" {' '.join(words_of(text))} "
    return any(f" {' '.join(words)} " in said for words in map(words_of, phrases) if words)
