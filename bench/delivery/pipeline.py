"""The real functions from the outbox to the endpoint in one process, and the consumers of their queues."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from bench.delivery.queueing import MemoryQueue
from bench.delivery.seeding import DATA, open_repository, sealer
from callmissed.aws.batches import Change, Received, each_message
from callmissed.aws.queues import Message
from callmissed.clock import system_clock
from callmissed.events.outbox import new_event, publish, to_record
from callmissed.http.client import SafeClient
from callmissed.observability import get_logger
from functions.webhooks.delivery.attempts import Attempts
from functions.webhooks.delivery.dispatch import Dispatcher
from functions.webhooks.delivery.fanout import Fanout, PublishedEvent
from functions.webhooks.delivery.scheduler import Scheduler
from functions.webhooks.events.relay import Relay
from functions.webhooks.handlers.sender import Sender
from functions.webhooks.replays.runner import Replayer

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

_logger = get_logger("bench")


class Pipeline:
    """All functions of one stage. The queue of jobs is `fair` between tenants, or not."""

    def __init__(self, dynamodb: str, *, fair: bool = True) -> None:
        self.repository = open_repository(dynamodb)
        self.events = MemoryQueue(fair=False)
        self.jobs = MemoryQueue(fair=fair)
        self._client = SafeClient(allow_loopback=True)
        attempts = Attempts(self._client, sealer(), system_clock)
        repository = self.repository
        dispatcher = Dispatcher(repository, self.jobs, attempts, system_clock)
        self.sender = Sender(dispatcher, Replayer(repository, self.jobs, system_clock))
        self.fanout = Fanout(repository, self.jobs, system_clock)
        self.scheduler = Scheduler(repository, self.jobs)
        self._relay = Relay("bus", cast("EventBridgeClient", _Bus(self.events)))

    async def publish(self, tenant: str) -> tuple[str, float]:
        """Write an event to the outbox and relay it. Returns its id and the monotonic time before the write."""
        event, began = new_event(tenant, DATA, system_clock()), time.monotonic()
        await publish(self.repository.database, event)
        await self._relay.publish([Change("INSERT", to_record(event), "0")])
        return event.id, began

    async def fan_out(self, received: Received) -> None:
        """What the function `event-fanout` does with a message."""
        await self.fanout.fan_out(PublishedEvent(**received.body["detail"]), redelivered=received.redelivered)

    async def work(self, queue: MemoryQueue, work: Callable[[Received], Awaitable[None]], batches: int = -1) -> None:
        """Process batches of `queue` one after the other: so many, or for ever."""
        while batches:
            event = await queue.receive()
            queue.settle(event, await each_message(event, work, _logger))
            batches -= 1

    async def close(self) -> None:
        """Drop all connections."""
        await self._client.close()
        await self.repository.database.close()


class _Bus:
    """EventBridge with its rule, which puts every event into the fan-out's queue."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self._loop = asyncio.get_running_loop()

    def put_events(self, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803  boto3's name
        """Called from the relay's thread."""
        details = [Message({"detail": json.loads(entry["Detail"])}, group="") for entry in Entries]
        asyncio.run_coroutine_threadsafe(self._queue.send(details), self._loop).result()
        return {"Entries": [{"EventId": "1"} for _ in Entries], "FailedEntryCount": 0}
