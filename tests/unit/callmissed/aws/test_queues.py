"""Sending to SQS with a client that stands in for boto3's."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from callmissed.aws import clients
from callmissed.aws.queues import Message, QueueUnavailable, SqsQueue
from callmissed.platform.queues import DISPATCH
from callmissed.settings import CoreSettings


class Sqs:
    """Takes every message."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def send_message_batch(self, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803  boto3's names
        self.taken += Entries
        return {"Successful": [], "QueueUrl": QueueUrl}


async def test_senders_at_the_same_time_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Sqs] = []

    def slowly(_service: str, _settings: CoreSettings) -> Sqs:
        time.sleep(0.02)  # as boto3 does, which takes ten times as long and more than one thread badly
        made.append(Sqs())
        return made[-1]

    monkeypatch.setattr(clients, "client", slowly)
    queue = SqsQueue(CoreSettings(queue_base="https://sqs.test/1"), DISPATCH)

    await asyncio.gather(*(queue.send([Message({"n": n}, group="tnt_1")]) for n in range(10)))

    [only] = made
    assert len(only.taken) == 10


async def test_a_message_is_grouped_by_its_tenant_so_that_the_queue_is_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = Sqs()
    monkeypatch.setattr(clients, "client", lambda *_: sqs)
    queue = SqsQueue(CoreSettings(stage="s", queue_base="https://sqs.test/1/"), DISPATCH)

    await queue.send([Message({"n": n}, group=f"tnt_{n}", delay_seconds=n) for n in range(12)])

    assert [entry["MessageGroupId"] for entry in sqs.taken] == [f"tnt_{n}" for n in range(12)]
    assert [entry["DelaySeconds"] for entry in sqs.taken] == list(range(12))


async def test_a_message_that_sqs_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Sqs):
        def send_message_batch(self, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
            return {"Failed": [{"Id": Entries[-1]["Id"], "Code": "Throttled"}], "QueueUrl": QueueUrl}

    monkeypatch.setattr(clients, "client", lambda *_: Refusing())

    with pytest.raises(QueueUnavailable, match="Throttled"):
        await SqsQueue(CoreSettings(), DISPATCH).send([Message({}, group="tnt_1")])


async def test_credentials_that_stay_expired_are_no_message_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Expired(Sqs):
        def send_message_batch(self, QueueUrl: str, Entries: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
            raise RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")

    monkeypatch.setattr(clients, "client", lambda *_: Expired())
    queue = SqsQueue(CoreSettings(queue_base="https://sqs.test/1"), DISPATCH)

    with pytest.raises(QueueUnavailable):
        await queue.send([Message({"n": 1}, group="tnt_1")])
