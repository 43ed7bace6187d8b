"""The sandbox's own tokens: a word, or twelve letters of a longer one, or a single other character.

White space belongs to the token after it, so the tokens of a text put together are the text. A token is at least
one character, so a text never has more tokens than bytes.
"""

import re

_TOKEN = re.compile(r"\s*(?:\w{1,12}|[^\w\s])|\s+")


def split(text: str) -> list[str]:
    """The tokens of `text`, in order."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """How many tokens `text` has."""
    return len(split(text))


def clip(text: str, limit: int | None) -> str:
    """`text`, or its first `limit` tokens."""
    return text if limit is None or len(text) <= limit else "".join(split(text)[: max(0, limit)])
