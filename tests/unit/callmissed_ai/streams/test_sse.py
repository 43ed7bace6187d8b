"""Whether a body that begins so can be an event stream."""

import pytest

from callmissed_ai.streams.sse import is_event_stream

BEGINNINGS = [
    b"data: {}",
    b"d",
    b"da",
    b"data",
    b":",
    b": x",
    b"event: y",
    b"\n",
    b"\r\n data:",
    b"id",
    b"\xef\xbb\xbfdata:",
]
OTHERS = [b"{", b"<", b"<!doctype html>", b"\xff", b"dat:", b"dx", b"data;", b"[", b"\x00data:"]


@pytest.mark.parametrize("first", BEGINNINGS)
def test_what_can_be_an_event_stream(first: bytes) -> None:
    assert is_event_stream(first)


@pytest.mark.parametrize("first", OTHERS)
def test_what_can_be_none(first: bytes) -> None:
    assert not is_event_stream(first)
