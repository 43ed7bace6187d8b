"""Sending to SQS with a client that stands in for boto3's."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from callmissed.aws import clients
from callmissed.aws.queues import Message, SqsQueue
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
