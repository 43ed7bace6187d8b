"""Failures and odd replies on demand, by instructions such as `sandbox:rate_limit` in the last user message.

The router imports this module for `refusal_of_sandbox`, also where the sandbox is never used, so it stays small.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from callmissed.errors import ApiError
from callmissed_ai.transports.base import UpstreamUnreachable

ENGINE_HEADER = "x-callmissed-engine"
"""Header of a reply that says which engine made it."""

_INSTRUCTION = re.compile(r"\bsandbox:([a-z_]{1,40})(?:[ \t]+(\d{1,9}))?")
_USUAL_SLOW_MS = 1_000
_MAX_SLOW_MS = 5_000
_USUAL_LONG_TOKENS = 1_000
_MAX_LONG_TOKENS = 20_000


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error in OpenAI's form."""

    status: int
    message: str
    type: str
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


FAILURES: Mapping[str, Failure] = {
    "rate_limit": Failure(
        429, "Rate limit reached, as the prompt asked.", "requests", "rate_limit_exceeded", {"retry-after": "2"}
    ),
    "error": Failure(500, "The server had an error while processing your request, as it asked.", "server_error"),
    "overload": Failure(503, "The engine is overloaded, as the prompt asked.", "server_error", "overloaded"),
    "bad_request": Failure(400, "The request is refused, as it asked.", "invalid_request_error", "invalid_value"),
    "auth": Failure(
        401, "Incorrect API key provided, as the prompt asked.", "invalid_request_error", "invalid_api_key"
    ),
}
_ODDITIES = frozenset({"timeout", "garbage", "cut", "no_usage", "slow", "long", "cached", "filtered"})


@dataclass(frozen=True, slots=True)
class Instructions:
    """The instructions in a prompt, each with the number that followed it."""

    given: Mapping[str, int | None]

    def __contains__(self, name: str) -> bool:
        return name in self.given

    @property
    def failure(self) -> Failure | None:
        """The HTTP error to return: the first one in the prompt."""
        return next((FAILURES[name] for name in self.given if name in FAILURES), None)

    @property
    def delay_seconds(self) -> float | None:
        """Wait before each chunk, at most 5 seconds; None without that instruction."""
        if "slow" not in self.given:
            return None
        number = self.given["slow"]
        return min(_USUAL_SLOW_MS if number is None else number, _MAX_SLOW_MS) / 1_000

    @property
    def long_tokens(self) -> int | None:
        """Tokens of a reply of requested length, at most 20,000; None without that instruction."""
        if "long" not in self.given:
            return None
        number = self.given["long"]
        return min(_USUAL_LONG_TOKENS if number is None else number, _MAX_LONG_TOKENS)

    @property
    def unknown(self) -> list[str]:
        """Instructions that the sandbox doesn't know."""
        return [name for name in self.given if name not in FAILURES and name not in _ODDITIES]


def read_instructions(text: str) -> Instructions:
    """The instructions in `text`; of several with one name the first counts."""
    given: dict[str, int | None] = {}
    for name, number in _INSTRUCTION.findall(text):
        given.setdefault(name, int(number) if number else None)
    return Instructions(given)


def break_off(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The first half of `parts`, then UpstreamUnreachable."""
    whole = list(parts)
    yield from whole[: len(whole) // 2]
    raise UpstreamUnreachable("the reply broke off, as the prompt asked")


def refusal_of_sandbox(status: int, error: object, retry_after: str | None) -> ApiError:
    """The sandbox's own 4xx, words and all: it is asked for them so that callers can test their error handling."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    known = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return ApiError(
        status,
        known.get(status, "invalid_request_error"),
        str(details.get("message") or "The sandbox refuses the request."),
        param=details.get("param"),
        headers={"Retry-After": retry_after} if retry_after else None,
    )
