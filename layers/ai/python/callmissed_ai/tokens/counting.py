"""Counting tokens ourselves, for replies whose provider reports no usage.

The encoding is cl100k_base, whichever the model: entries that rest on it are marked as estimated. It ships here,
because tiktoken would fetch it at run time. Loading takes 40 MB, so it happens at first use.
"""

import base64
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

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


@cache
def _encoding() -> "tiktoken.Encoding":
    import tiktoken

    data = (files("callmissed_ai.tokens") / "cl100k_base.tiktoken").read_bytes()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}
    return tiktoken.Encoding("cl100k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})


def count_text(text: str) -> int:
    """Tokens of `text`."""
    return len(_encoding().encode_ordinary(text))
