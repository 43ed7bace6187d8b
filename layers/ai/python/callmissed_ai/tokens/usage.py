"""Tokens that a call used, whichever dialect reported them."""

from dataclasses import dataclass

MAX_TOKENS = 10**12
"""No call has more; usage above it makes no sense, nor does DynamoDB store any number."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call. `cached` are part of `input`. `estimated` when the provider reported none and we counted."""

    input: int
    output: int
    cached: int = 0
    estimated: bool = False
