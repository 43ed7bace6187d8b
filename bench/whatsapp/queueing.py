"""Queues with SQS's promises and no more: at least once, in any order, and hidden for a while after a failure."""

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.batches import Failures
from callmissed.aws.queues import Message
from callmissed.clock import SECOND, Micros

BATCH = 10
_HIDDEN_SECONDS = 30
_POLL_SECONDS = 0.004


@dataclass(slots=True)
class WaitingMessage:
    """A message, and when it can be taken. It was `received` so often before."""

    id: str
    body: str
    ready: int
    received: int = 0


class DisorderlyQueue:
    """A queue of simulated time. The share `twice` of its messages is delivered once more. For one event loop."""

    def __init__(self, clock: Callable[[], Micros], draw: random.Random | None = None, twice: float = 0.0) -> None:
        self.twice = twice
        self._clock = clock
        self._draw = draw or random.Random(0)
        self._waiting: list[WaitingMessage] = []
        self._numbers = itertools.count(1)

    def put(self, body: dict[str, Any], delay_seconds: int = 0) -> None:
        """Add a message, or two of them."""
        for copy in range(1 + (self._draw.random() < self.twice)):
            ready = self._clock() + (delay_seconds + copy * self._draw.randrange(3)) * SECOND
            self._waiting.append(WaitingMessage(str(next(self._numbers)), json.dumps(body), ready))

    async def send(self, messages: Sequence[Message]) -> None:
        """As `Sending.send`."""
        for message in messages:
            self.put(message.body, message.delay_seconds)

    async def take(self) -> list[dict[str, Any]]:
        """The records of the next batch, as soon as there is any."""
        while not (ready := self._ready()):  # noqa: ASYNC110  time makes messages ready, not a task
            await asyncio.sleep(_POLL_SECONDS)
        chosen = self._draw.sample(ready, min(len(ready), self._draw.randint(1, BATCH)))
        for each in chosen:
            self._waiting.remove(each)
        return records_of(chosen)

    def take_all(self) -> "list[WaitingMessage]":
        """All messages, without their delays."""
        taken, self._waiting = self._waiting, []
        return taken

    def settle(self, records: Sequence[dict[str, Any]], failures: Failures | None) -> None:
        """Hide what failed for a while; all, soon, if the process died."""
        failed = None if failures is None else {each["itemIdentifier"] for each in failures["batchItemFailures"]}
        for record in records:
            if failed is None or record["messageId"] in failed:
                hidden = self._draw.randint(1, _HIDDEN_SECONDS) * SECOND
                received = int(record["attributes"]["ApproximateReceiveCount"])
                self._waiting.append(
                    WaitingMessage(record["messageId"], record["body"], self._clock() + hidden, received)
                )

    @property
    def next_at(self) -> int | None:
        """When the next message can be taken; None for an empty queue."""
        return min((each.ready for each in self._waiting), default=None)

    def _ready(self) -> list[WaitingMessage]:
        now = self._clock()
        return [each for each in self._waiting if each.ready <= now]


def records_of(messages: "Sequence[WaitingMessage]") -> list[dict[str, Any]]:
    """The records of SQS's event that deliver `messages`."""
    return [
        {
            "messageId": each.id,
            "body": each.body,
            "attributes": {"ApproximateReceiveCount": str(each.received + 1)},
        }
        for each in messages
    ]
