"""What Graph's errors mean, by their code.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

_MAX_TEXT = 500


class FaultMeaning(StrEnum):
    """What an error says, which is the code of our own."""

    WINDOW_CLOSED = "window_closed"
    UNDELIVERABLE = "message_undeliverable"
    PAIR_RATE = "pair_rate_limited"
    THROUGHPUT = "throughput_limited"
    TOKEN = "token_rejected"  # noqa: S105
    PERMISSION = "permission_missing"
    ACCOUNT_BLOCKED = "account_blocked"
    NUMBER = "number_not_registered"
    INVALID = "invalid_message"
    UNSUPPORTED = "unsupported_message"
    MEDIA = "media_failed"
    PAYMENT = "payment_method_missing"
    TEMPLATE = "template_rejected"
    UNAVAILABLE = "whatsapp_unavailable"
    OTHER = "whatsapp_refused"


MEANINGS: Mapping[int, FaultMeaning] = {
    0: FaultMeaning.TOKEN,
    3: FaultMeaning.PERMISSION,
    4: FaultMeaning.THROUGHPUT,
    10: FaultMeaning.PERMISSION,
    33: FaultMeaning.NUMBER,
    100: FaultMeaning.INVALID,
    190: FaultMeaning.TOKEN,
    200: FaultMeaning.PERMISSION,
    368: FaultMeaning.ACCOUNT_BLOCKED,
    80007: FaultMeaning.THROUGHPUT,
    130429: FaultMeaning.THROUGHPUT,
    130472: FaultMeaning.UNDELIVERABLE,
    130497: FaultMeaning.ACCOUNT_BLOCKED,
    131000: FaultMeaning.UNAVAILABLE,
    131005: FaultMeaning.PERMISSION,
    131008: FaultMeaning.INVALID,
    131009: FaultMeaning.INVALID,
    131016: FaultMeaning.UNAVAILABLE,
    131021: FaultMeaning.INVALID,
    131026: FaultMeaning.UNDELIVERABLE,
    131031: FaultMeaning.ACCOUNT_BLOCKED,
    131037: FaultMeaning.NUMBER,
    131042: FaultMeaning.PAYMENT,
    131045: FaultMeaning.NUMBER,
    131047: FaultMeaning.WINDOW_CLOSED,
    131048: FaultMeaning.THROUGHPUT,
    131049: FaultMeaning.UNDELIVERABLE,
    131050: FaultMeaning.UNDELIVERABLE,
    131051: FaultMeaning.UNSUPPORTED,
    131052: FaultMeaning.MEDIA,
    131053: FaultMeaning.MEDIA,
    131056: FaultMeaning.PAIR_RATE,
    131057: FaultMeaning.UNAVAILABLE,
    132000: FaultMeaning.TEMPLATE,
    132001: FaultMeaning.TEMPLATE,
    132005: FaultMeaning.TEMPLATE,
    132007: FaultMeaning.TEMPLATE,
    132012: FaultMeaning.TEMPLATE,
    132015: FaultMeaning.TEMPLATE,
    132016: FaultMeaning.TEMPLATE,
    133004: FaultMeaning.UNAVAILABLE,
    133010: FaultMeaning.NUMBER,
}

_UNKNOWN_OBJECT = 33
"""Subcode of 100 for an id that does not exist, or that the token may not see."""


@dataclass(frozen=True, slots=True)
class GraphFault:
    """An error as Graph has it. `status` is that of HTTP; `code` is None where the answer names none."""

    status: int
    code: int | None
    subcode: int | None
    title: str
    details: str | None

    @property
    def meaning(self) -> FaultMeaning:
        """What the error says."""
        if self.code is None:
            return FaultMeaning.TOKEN if self.status == 401 else FaultMeaning.OTHER
        if self.code == 100 and self.subcode == _UNKNOWN_OBJECT:
            return FaultMeaning.NUMBER
        return MEANINGS.get(self.code, FaultMeaning.OTHER)

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed after a short wait."""
        return self.meaning in (FaultMeaning.PAIR_RATE, FaultMeaning.THROUGHPUT) and self.code != _SPAM


_SPAM = 131048


def fault_of(status: int, body: Mapping[str, Any]) -> GraphFault:
    """The error in an answer. Graph's `error` may lack any field."""
    given: object = body.get("error")
    error = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    more: object = error.get("error_data")
    data = cast("dict[str, Any]", more) if isinstance(more, dict) else {}
    return GraphFault(
        status,
        _number(error.get("code")),
        _number(error.get("error_subcode")),
        _text(error.get("message")) or f"HTTP {status}",
        _text(data.get("details")) or _text(error.get("error_user_msg")),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None
