"""How long a reply may become: far above what its output limit allows, an upstream does not obey the limit.

The numbers are generous, because providers count tokens in their own ways: a token of English has about four
characters, and a chunk of a stream that carries one token has a few hundred bytes, with twenty logprobs about 3 KB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

LOWEST_LIMITS: Mapping[str, int] = {"openai_responses": 16}
"""The lowest output limit that upstreams of a dialect accept; a lower one is raised to it, and held for."""

MAX_LOWEST_LIMIT = max(LOWEST_LIMITS.values())
"""No output limit that is as high is raised."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""No reply may be longer, whatever its limit."""

_CHARACTERS_PER_TOKEN = 32
_FREE_CHARACTERS = 64 * 1024
_BODY_BYTES_PER_TOKEN = 8 * 1024
_FREE_BODY_BYTES = 1024 * 1024
_STEP_BYTES_PER_TOKEN = 1024
_FREE_STEP_BYTES = 64 * 1024
_MAX_STEP_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OutputBounds:
    """Where a reply is stopped: at so many characters of text, and at so many bytes of body.

    The text of a stream is measured whenever another `step_bytes` of it have come. A reply that obeys its limit is
    mostly shorter than one step, and is never measured.
    """

    characters: int
    body_bytes: int
    step_bytes: int


@lru_cache(maxsize=1024)
def output_bounds(tokens: int) -> OutputBounds:
    """The bounds of a reply of at most `tokens` tokens, over all its choices."""
    return OutputBounds(
        _FREE_CHARACTERS + tokens * _CHARACTERS_PER_TOKEN,
        min(MAX_BODY_BYTES, _FREE_BODY_BYTES + tokens * _BODY_BYTES_PER_TOKEN),
        min(_MAX_STEP_BYTES, _FREE_STEP_BYTES + tokens * _STEP_BYTES_PER_TOKEN),
    )
