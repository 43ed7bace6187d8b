"""How long an upstream wants to be left alone."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from callmissed.clock import SECOND, Micros

_STATUSES = frozenset({429, 503, 529})
"""Answers whose wait is a wish about all requests, and not only about this one."""


def wait_seconds(status: int, headers: Mapping[str, str], now: Micros) -> float:
    """Seconds that an answer asks callers to wait, 0 for none. Names of `headers` are in lower case.

    `Retry-After` is a number of seconds or a date of HTTP; OpenAI states milliseconds in a field of their own too.
    """
    if status not in _STATUSES:
        return 0
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    return seconds if seconds is not None else _seconds_until(text, now)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _seconds_until(date: str, now: Micros) -> float:
    try:
        moment = parsedate_to_datetime(date)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0
    return max(0.0, seconds - now / SECOND)
