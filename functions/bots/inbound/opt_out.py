"""Words by which an end user stops the bot, and by which the bot may answer again.

The whole message counts, without case and punctuation.
"""

import unicodedata
from collections.abc import Iterable

_MAX_LENGTH = 200
"""Maximum characters of a message that is looked at: a longer one is a message."""


def is_one_of(text: str | None, words: Iterable[str]) -> bool:
    """Whether `text`, as a whole, is one of `words`."""
    return bool(text) and len(text) <= _MAX_LENGTH and _plain(text) in {_plain(word) for word in words}


def _plain(text: str) -> str:
    """`text` without case, punctuation and symbols, with single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(map(_letter_or_space, folded)).split())


def _letter_or_space(letter: str) -> str:
    """Nothing for what cannot be seen, such as a joiner or the variant of an emoji."""
    category = unicodedata.category(letter)
    if category in ("Cf", "Me") or unicodedata.name(letter, "").startswith("VARIATION SELECTOR"):
        return ""
    return " " if category[0] in "PSZC" else letter
