"""The waits between attempts."""

import pytest

from callmissed.clock import SECOND, Micros
from functions.webhooks.delivery.schedule import ATTEMPTS, retry_after, wait_after


@pytest.mark.parametrize(
    ("made", "jitter", "asked", "seconds"),
    [
        (1, 0.5, None, 5),
        (1, 0.0, None, 4),
        (1, 1.0, None, 6),
        (1, 0.5, 90, 90),
        (9, 0.5, 10**9, 86400),
        (2, 0.5, 3, 300),
    ],
)
def test_waits(made: int, jitter: float, asked: int | None, seconds: int) -> None:
    assert wait_after(made, jitter, asked) == seconds * SECOND


def test_there_is_no_wait_after_the_last_attempt() -> None:
    assert wait_after(ATTEMPTS, 0.5, None) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("  7 ", 7),
        ("Mon, 16 Nov 2026 00:01:00 GMT", 60),
        ("Sun, 15 Nov 2026 00:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("\uff11\uff12", None),
        ("9" * 400, 999_999_999),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999999999", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Sat, 01 Jan 0001 00:00:00 +2359", 0),
    ],
)
def test_retry_after(text: str, seconds: int | None) -> None:
    assert retry_after({"retry-after": text}, Micros(1_794_787_200 * SECOND)) == seconds
    assert retry_after({}, Micros(0)) is None
