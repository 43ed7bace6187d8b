"""Counting tokens ourselves, for replies whose provider reports no usage.

A text can be megabytes of what the tokenizer is slowest at, so it is read in pieces, and not beyond the tokens that are
paid for. Splitting a text costs a token or two a piece.

The encoding is cl100k_base, whichever the model: entries that rest on it are marked as estimated. It ships here,
because tiktoken would fetch it at run time. Loading takes 40 MB, so it happens at first use.
"""

import base64
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import tiktoken

_PATTERN = "|".join(
    (
        r"'(?i:[sdmt]|ll|ve|re)",
        r"[^\r\n\p{L}\p{N}]?+\p{L}++",
        r"\p{N}{1,3}+",
        r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
        r"\s++$",
        r"\s*[\r\n]",
        r"\s+(?!\S)",
        r"\s",
    )
)


_PIECE_CHARACTERS = 16_384
_SAMPLE_CHARACTERS = 65_536
_CHARACTERS_PER_TOKEN = 4


@cache
def encoding() -> "tiktoken.Encoding":
    """The tokenizer, loaded at first use."""
    import tiktoken

    data = (files("callmissed_ai.tokens") / "cl100k_base.tiktoken").read_bytes()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}
    return tiktoken.Encoding("cl100k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})


def count_text(text: str, limit: int | None = None) -> int:
    """Tokens of `text`, at most `limit`."""
    return count_texts((text,), limit)


def count_texts(texts: Iterable[str], limit: int | None = None) -> int:
    """Tokens of `texts`, each on a line of its own, at most `limit`. No piece is read once the limit is reached."""
    total = 0
    for piece in _pieces(texts):
        if limit is not None and total >= limit:
            return limit
        total += len(encoding().encode_ordinary(piece))
    return total if limit is None else min(total, limit)


def estimate_texts(texts: Iterable[str]) -> int:
    """Tokens of `texts`, of which only the beginning is counted and the rest taken for four characters a token.

    For test keys, who pay for nothing.
    """
    total, left = 0, _SAMPLE_CHARACTERS
    for piece in _pieces(texts):
        if left > 0:
            total += len(encoding().encode_ordinary(piece))
            left -= len(piece)
        else:
            total += len(piece) // _CHARACTERS_PER_TOKEN
    return total


def all_texts(value: Any) -> Iterator[str]:
    """Every text in any JSON, keys and numbers included."""
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield name
            yield from all_texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from all_texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The texts joined by line ends, in pieces of bounded size."""
    lines: list[str] = []
    size = 0
    for text in texts:
        lines.append(text)
        size += len(text) + 1
        if size >= _PIECE_CHARACTERS:
            joined = "\n".join(lines)
            yield from (joined[at : at + _PIECE_CHARACTERS] for at in range(0, len(joined), _PIECE_CHARACTERS))
            lines, size = [], 0
    if lines:
        yield "\n".join(lines)
