"""Batches, of which some messages fail."""

import json

from callmissed.aws.batches import Received, each_message
from callmissed.observability import get_logger


async def test_a_message_that_nobody_can_read_fails_alone() -> None:
    done: list[object] = []

    async def work(received: Received) -> None:
        done.append(received.body["n"])

    bodies = [json.dumps({"n": 1}), "{", json.dumps({}), json.dumps({"n": 4})]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]

    failures = await each_message({"Records": records}, work, get_logger("test"))

    assert done == [1, 4]
    assert failures == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
