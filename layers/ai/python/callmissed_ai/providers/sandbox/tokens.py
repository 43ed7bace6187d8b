"""The sandbox's own tokens: a word, or twelve letters of a longer one, or a single other character.

White space belongs to the token after it, so the tokens of a text put together are the text. A token is at least
one character, so a text never has more tokens than bytes.
"""

import re
from collections.abc import Iterable

_SAMPLE_CHARACTERS = 65_536
_CHARACTERS_PER_TOKEN = 4
_TOKEN = re.compile(r"\s*(?:\w{1,12}|[^\w\s])|\s+")


def split(text: str) -> list[str]:
    """The tokens of `text`, in order."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens `text` has."""
    return len(split(text))


def estimate(texts: Iterable[str]) -> int:
    """How many tokens `texts` have; those beyond the first 65,536 characters are taken for four characters each.

    A prompt can be megabytes, and other calls wait while it is split.
    """
    total, left = 0, _SAMPLE_CHARACTERS
    for text in texts:
        total += count(text[: max(0, left)]) + len(text[max(0, left) :]) // _CHARACTERS_PER_TOKEN
        left -= len(text)
    return total


def clip(text: str, limit: int | None) -> str:
    """`text`, or its first `limit` tokens."""
    return text if limit is None or len(text) <= limit else "".join(split(text)[: max(0, limit)])
