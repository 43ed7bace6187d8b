"""Tokens that a call used, in any dialect."""

from dataclasses import dataclass

MAX_TOKENS = 10**12
"""Maximum of a plausible usage; DynamoDB limits numbers too."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call. `cached` are part of `input`. `estimated` when the provider reported none and we counted."""

    input: int
    output: int
    cached: int = 0
    estimated: bool = False
