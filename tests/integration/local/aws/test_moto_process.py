"""Moto's queues as the local stack runs them: quick when much waits, and still queues."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto.sqs import models

from local.aws.moto_process import quicken_queues

SQS: Any = models
COUNTS = ("approximate_number_of_messages", "approximate_number_of_messages_delayed")


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Moto's SQS in this process, with one queue."""
    validity = "is_message_valid_based_on_retention_period"
    monkeypatch.setattr(SQS, "unix_time_millis", SQS.unix_time_millis)  # both are put back at the end
    monkeypatch.setattr(SQS.SQSBackend, validity, getattr(SQS.SQSBackend, validity))
    quicken_queues()
    backend = SQS.sqs_backends["123456789012"]["us-east-1"]
    backend.create_queue("quick", {})
    yield backend
    backend.reset()


def test_receiving_messages_counts_no_queue(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(_queue: Any) -> int:
        raise AssertionError("the queue was counted")

    for body in ("one", "two"):
        backend.send_message("quick", body)
    for name in COUNTS:
        monkeypatch.setattr(SQS.Queue, name, property(count))
    received = backend.receive_message("quick", 10, 0, 30)
    assert [message.body for message in received] == ["one", "two"]


def test_delays_and_visibility_are_kept(backend: Any) -> None:
    backend.send_message("quick", "now")
    backend.send_message("quick", "later", delay_seconds=600)
    assert [message.body for message in backend.receive_message("quick", 10, 0, 600)] == ["now"]
    assert backend.receive_message("quick", 10, 0, 600) == []
