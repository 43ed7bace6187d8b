"""Words by which an end user stops the bot, and by which the bot may answer again.

The whole message counts, without case and punctuation.
"""

import unicodedata
from collections.abc import Iterable

from functions.bots.conversations.words import folded

_MAX_LENGTH = 200
"""Maximum characters of a message that is looked at: a longer one is a message."""


def is_one_of(text: str | None, words: Iterable[str]) -> bool:
    """Whether `text`, as a whole, is one of `words`."""
    return bool(text) and len(text) <= _MAX_LENGTH and _plain(text) in {_plain(word) for word in words}


def _plain(text: str) -> str:
    """`text` without case, punctuation and symbols, with single spaces."""
    kept = "".join(" " if unicodedata.category(letter)[0] in "PSZC" else letter for letter in folded(text))
    return " ".join(kept.split())
