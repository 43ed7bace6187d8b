"""Tokens that a call used, in any dialect."""

from dataclasses import astuple, dataclass, replace

MAX_TOKENS = 10**12
"""Maximum of a plausible usage; DynamoDB limits numbers too."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call. `estimated` when the provider reported none and we counted.

    `cached` were read from the provider's cache and `cache_write` written to one; both are part of `input`, and no
    token is in both. `reasoning` is the part of `output` that was thought.
    """

    input: int
    output: int
    cached: int = 0
    estimated: bool = False
    cache_write: int = 0
    reasoning: int = 0


def larger(earlier: TokenUsage | None, later: TokenUsage) -> TokenUsage:
    """Per field the larger of two reports of one reply: usage only grows, and what shrinks is a mistake.

    Of two reports that contradict each other the tokens read from a cache count before those written to one.
    """
    if earlier is None:
        return later
    most = TokenUsage(*map(max, astuple(earlier), astuple(later)))
    return replace(most, cache_write=min(most.cache_write, most.input - most.cached))


def reported_count(value: object) -> int | None:
    """A count of tokens in a report; None for what can't be one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_TOKENS else None
