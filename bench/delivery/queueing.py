"""A queue in this process with SQS's promises, as far as a delivery meets them.

Batches of up to ten, delays, messages hidden while they are processed, and delivered again after a failure. A fair
one takes the message groups with the fewest messages in flight first, as SQS's fair queues favour quiet tenants
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html); one that is not
delivers in the order of arrival.
"""

import asyncio
import itertools
import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.batches import Failures
from callmissed.aws.queues import Message
from callmissed.platform.queues import DISPATCH


@dataclass(slots=True)
class _Held:
    body: str
    group: str
    received: int = 0


class MemoryQueue:
    """Use it from one event loop."""

    def __init__(self, *, fair: bool) -> None:
        self._fair = fair
        self._waiting: dict[str, deque[_Held]] = {}
        self._in_flight: dict[str, _Held] = {}
        self._busy: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._arrived = asyncio.Event()

    async def send(self, messages: Sequence[Message]) -> None:
        """As `Sending.send`."""
        for message in messages:
            self._later(_Held(json.dumps(message.body), message.group), message.delay_seconds)

    async def receive(self) -> dict[str, Any]:
        """The Lambda event with the next batch, as soon as there is anything."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return {"Records": [self._hand_out() for _ in range(min(DISPATCH.batch, len(self)))]}

    def settle(self, event: Mapping[str, Any], failures: Failures) -> None:
        """Delete what was done, and hide the rest until its time is up."""
        failed = {failure["itemIdentifier"] for failure in failures["batchItemFailures"]}
        for record in event["Records"]:
            held = self._in_flight.pop(record["messageId"])
            self._busy[held.group] -= 1
            if record["messageId"] in failed:
                self._later(held, DISPATCH.visibility_seconds)

    def __len__(self) -> int:
        """How many messages can be received now."""
        return sum(map(len, self._waiting.values()))

    def _later(self, held: _Held, seconds: int) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._admit, held)
        else:
            self._admit(held)

    def _admit(self, held: _Held) -> None:
        self._waiting.setdefault(held.group if self._fair else "", deque()).append(held)
        self._arrived.set()

    def _hand_out(self) -> dict[str, Any]:
        line = min(self._waiting, key=lambda group: self._busy[group])
        held = self._waiting[line].popleft()
        if not self._waiting[line]:
            del self._waiting[line]
        held.received += 1
        self._busy[held.group] += 1
        id = str(next(self._numbers))
        self._in_flight[id] = held
        return {"messageId": id, "body": held.body, "attributes": {"ApproximateReceiveCount": str(held.received)}}
