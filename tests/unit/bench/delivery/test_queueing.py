"""The benchmark's queue: batches, fairness, and what comes again."""

import json
from typing import Any

from bench.delivery.queueing import MemoryQueue
from callmissed.aws.queues import Message


def message(group: str, number: int = 0) -> Message:
    return Message({"from": group, "number": number}, group=group)


def senders(event: dict[str, Any]) -> list[str]:
    return [json.loads(record["body"])["from"] for record in event["Records"]]


async def queue(*, fair: bool) -> MemoryQueue:
    """One in which a quiet tenant's message comes after thirty of a loud one."""
    made = MemoryQueue(fair=fair)
    await made.send([*(message("loud", number) for number in range(30)), message("quiet")])
    return made


async def test_a_batch_has_ten_and_keeps_the_order():
    plain = await queue(fair=False)
    batches = [senders(await plain.receive()) for _ in range(4)]
    assert [len(batch) for batch in batches] == [10, 10, 10, 1]
    assert batches[3] == ["quiet"]


async def test_a_fair_queue_takes_the_group_with_the_fewest_in_flight():
    fair = await queue(fair=True)
    first = senders(await fair.receive())
    assert first.count("quiet") == 1
    await fair.send([message("quiet")])
    assert senders(await fair.receive())[0] == "quiet"


async def test_what_is_settled_is_gone_and_counts_as_in_flight_no_more():
    fair = await queue(fair=True)
    event = await fair.receive()
    fair.settle(event, {"batchItemFailures": []})
    await fair.send([message("quiet")])
    assert len(fair) == 22
    assert "quiet" in senders(await fair.receive())[:2]


async def test_what_failed_is_hidden_first():
    plain = await queue(fair=False)
    event = await plain.receive()
    plain.settle(event, {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]})
    assert len(plain) == 21


async def test_a_delayed_message_is_not_there_yet():
    plain = MemoryQueue(fair=False)
    await plain.send([Message({"from": "later"}, group="a", delay_seconds=900), message("now")])
    assert senders(await plain.receive()) == ["now"]
    assert len(plain) == 0
