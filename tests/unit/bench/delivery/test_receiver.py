"""What the benchmark's endpoints answer and remember."""

import json
import time
from collections.abc import AsyncIterator

from bench.delivery.receiver import Receiver


def arrivals(receiver: Receiver) -> dict[str, float]:
    answer = receiver.answer(b"/arrivals", b"")
    assert isinstance(answer, bytes)
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_the_first_arrival_of_an_event_is_returned_once():
    receiver, before = Receiver(), time.monotonic()
    for _ in range(2):
        assert receiver.answer(b"/ok", b'{"id":"evt_1"}') == b"HTTP/1.1 204 No Content\r\n\r\n"
    found = arrivals(receiver)
    assert list(found) == ["evt_1"]
    assert before <= found["evt_1"] <= time.monotonic()
    assert arrivals(receiver) == {}


def test_a_dead_endpoint_does_not_answer():
    receiver = Receiver()
    assert isinstance(receiver.answer(b"/hang", b"{}"), AsyncIterator)
    assert arrivals(receiver) == {}
