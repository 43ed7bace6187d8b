"""Counting tokens ourselves, for replies whose provider reports no usage.

The encoding is cl100k_base, whichever the model: entries that rest on it are marked as estimated. It ships here,
because tiktoken would fetch it at run time. Loading takes 40 MB, so it happens at first use.
"""

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from callmissed_ai.dialects.openai_chat.request import IMAGE_PARTS

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
_MESSAGE_TOKENS = 4
_IMAGE_TOKENS = 258


@cache
def _encoding() -> "tiktoken.Encoding":
    import tiktoken

    data = (files("callmissed_ai.tokens") / "cl100k_base.tiktoken").read_bytes()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}
    return tiktoken.Encoding("cl100k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})


def count_text(text: str) -> int:
    """Tokens of `text`."""
    return len(_encoding().encode_ordinary(text))


def count_request(body: Mapping[str, Any]) -> int:
    """Tokens of a chat request: its texts, its tools as JSON, a flat 258 an image."""
    total = count_text(json.dumps(body["tools"], ensure_ascii=False, separators=(",", ":"))) if body.get("tools") else 0
    return total + sum(_MESSAGE_TOKENS + _count_content(message.get("content")) for message in body["messages"])


def _count_content(content: Any) -> int:
    if isinstance(content, list):
        return sum(map(_count_part, content))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return count_text(content or "")


def _count_part(part: Mapping[str, Any]) -> int:
    if isinstance(part.get("text"), str):
        return count_text(part["text"])
    return _IMAGE_TOKENS if part["type"] in IMAGE_PARTS else min(_IMAGE_TOKENS, len(str(part)) // 4)
