"""The way of an event without AWS but with its faults: queues that deliver twice, processes that die at any step.

The tables are real. SQS, the bus, the stream and time are simulated, so that days pass in seconds: a queue hides what
it handed out, hands it out again when nobody deleted it, and counts; a stream repeats a batch until it is taken.
"""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.batches import Change, Failures, Received, each_message
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.events.outbox import Event, new_event, publish, to_record
from callmissed.events.types import CreditsLow
from callmissed.ids import new_id
from callmissed.observability import get_logger
from callmissed.platform.tables import DELIVERIES, DUE, WEBHOOKS, Table
from functions.webhooks.delivery.attempts import AttemptOutcome
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.delivery.dispatch import Dispatcher
from functions.webhooks.delivery.fanout import Fanout, PublishedEvent
from functions.webhooks.delivery.jobs import Job, ParkedJob
from functions.webhooks.delivery.scheduler import Scheduler
from functions.webhooks.events.relay import Relay
from functions.webhooks.handlers.sender import Sender
from functions.webhooks.replays.runner import Replayer
from functions.webhooks.storage.records import DELIVERY_PREFIX, Endpoint, State, Webhook
from functions.webhooks.storage.repository import Repository
from local.aws.tables import StageTables
from tests.support.interleaving import Matches
from tests.support.webhooks.crashes import CrashingDynamoDB, CrashPlan, ProcessDied

NOVEMBER = Micros(1_794_787_200_000_000)
_VISIBILITY = 180 * SECOND
_TRIES = 5
_logger = get_logger("simulation")


@dataclass(slots=True)
class _Held:
    body: dict[str, Any]
    visible: int
    received: int = 0


class MemoryQueue:
    """A queue with SQS's promises: at least once, in no order, hidden for a while, dead after some tries."""

    def __init__(self, now: Callable[[], int], crash_plan: CrashPlan, tries: int = _TRIES) -> None:
        self.dead: list[dict[str, Any]] = []
        self.sent: Counter[str] = Counter()
        self._now = now
        self._crash_plan = crash_plan
        self._tries = tries
        self._held: dict[str, _Held] = {}
        self._numbers = itertools.count()

    async def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._crash_plan.step()
            assert 0 <= message.delay_seconds <= 900
            self.put(message.body, message.delay_seconds)
        if messages:
            self._crash_plan.step()

    def put(self, body: dict[str, Any], delay_seconds: int = 0) -> None:
        self.sent[body.get("do", "event")] += 1
        self._held[str(next(self._numbers))] = _Held(json.loads(json.dumps(body)), self._now() + delay_seconds * SECOND)

    def receive(self, max_messages: int = 10) -> dict[str, Any]:
        """The Lambda event with what is visible; what was handed out too often goes to the dead letters."""
        records: list[dict[str, Any]] = []
        for id, held in list(self._held.items()):
            if len(records) == max_messages:
                break
            if held.visible > self._now():
                continue
            if held.received == self._tries:
                self.dead.append(self._held.pop(id).body)
                continue
            held.visible, held.received = self._now() + _VISIBILITY, held.received + 1
            attributes = {"ApproximateReceiveCount": str(held.received)}
            records.append({"messageId": id, "body": json.dumps(held.body), "attributes": attributes})
        return {"Records": records}

    def redrive(self) -> None:
        """Put the dead letters back, as an operator does; SQS counts from the beginning again."""
        dead, self.dead = self.dead, []
        for body in dead:
            self.put(body)

    def settle(self, event: Mapping[str, Any], failures: Failures) -> None:
        """Delete what was done."""
        failed = {failure["itemIdentifier"] for failure in failures["batchItemFailures"]}
        for record in event["Records"]:
            if record["messageId"] not in failed:
                self._held.pop(record["messageId"], None)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def next_visible(self) -> int | None:
        """When the next message can be received."""
        return min((held.visible for held in self._held.values()), default=None)


class Bus:
    """EventBridge's `put_events`, into the queue of the fan-out; refuses what `refuses` says."""

    def __init__(self, queue: MemoryQueue, crash_plan: CrashPlan) -> None:
        self.refuses: Callable[[], bool] = lambda: False
        self._queue = queue
        self._crash_plan = crash_plan

    def put_events(self, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803  boto3's name
        self._crash_plan.step()
        taken: list[dict[str, str]] = []
        for entry in Entries:
            if self.refuses():
                taken.append({"ErrorCode": "InternalFailure"})
            else:
                self._queue.put({"detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])})
                taken.append({"EventId": "1"})
        self._crash_plan.step()
        return {"Entries": taken, "FailedEntryCount": sum("ErrorCode" in entry for entry in taken)}


@dataclass(slots=True)
class Endpoints:
    """The tenants' servers: remembers what reached them, and answers as `answers` says for a webhook."""

    clock: Callable[[], int]
    crash_plan: CrashPlan
    answers: dict[str, Callable[[Micros], AttemptOutcome]] = field(
        default_factory=dict[str, Callable[[Micros], AttemptOutcome]]
    )
    got: list[tuple[str, str, str, int]] = field(default_factory=list[tuple[str, str, str, int]])

    async def make(
        self, webhook: Webhook, *, delivery_id: str, event_type: str, body: str, now: Micros
    ) -> AttemptOutcome:
        self.crash_plan.step()
        id = webhook.endpoint.webhook
        self.got.append((id, delivery_id, body, now))
        outcome = self.answers.get(id, ok)(now)
        self.crash_plan.step()
        return outcome

    def taken(self, webhook: str) -> Counter[str]:
        """How often each delivery's id reached the webhook."""
        return Counter(id for to, id, _, _ in self.got if to == webhook)


def published(event: Event) -> PublishedEvent:
    """What the bus carries of `event`."""
    return PublishedEvent(event.id, event.tenant, event.type, event.created)


def ok(now: Micros) -> AttemptOutcome:
    return AttemptOutcome(Micros(now), 204, 7)


def status(code: int, wait: int | None = None) -> Callable[[Micros], AttemptOutcome]:
    return lambda now: AttemptOutcome(Micros(now), code, 7, f"The endpoint answered {code}.", b"no", wait=wait)


def silent(now: Micros) -> AttemptOutcome:
    return AttemptOutcome(Micros(now), None, 10_000, "The endpoint did not answer in time.")


class Simulation:
    """One stage from outbox to endpoint. `crash_plan` decides where processes die.

    A message that was handed out `tries` times goes to the dead letters.
    """

    def __init__(self, tables: StageTables, crash_plan: CrashPlan | None = None, *, tries: int = 1000) -> None:
        self.now: int = NOVEMBER
        self.tenant = new_id("tnt")
        self.crash_plan = crash_plan or CrashPlan()
        self.stage = tables.stage
        self.plain = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=60.0)
        self.dynamodb = CrashingDynamoDB(tables.endpoint, self.crash_plan)
        self.database = Database(self.dynamodb, self.stage)
        self.repository = Repository(self.database)
        self.tables = Database(self.plain, self.stage)
        self.aside = Repository(self.tables)
        self.events = MemoryQueue(self.clock, self.crash_plan, tries)
        self.jobs = MemoryQueue(self.clock, self.crash_plan, tries)
        self.endpoints = Endpoints(self.clock, self.crash_plan)
        self.bus = Bus(self.events, self.crash_plan)
        self.published: list[Event] = []
        self._stream: list[Change] = []
        self._scheduled = self.now
        self.restart()

    def clock(self) -> Micros:
        return Micros(self.now)

    def restart(self, *, slow_seconds: int = 0) -> None:
        """New processes, which remember nothing. The clocks of the senders are `slow_seconds` behind."""

        def clock() -> Micros:
            return Micros(self.now - slow_seconds * SECOND)

        self.relay = Relay("bus", self.bus)  # type: ignore[arg-type]
        self.fanout = Fanout(self.repository, self.jobs, self.clock)
        self.dispatcher = Dispatcher(self.repository, self.jobs, self.endpoints, clock, lambda: 0.5)
        self.sender = Sender(self.dispatcher, Replayer(self.repository, self.jobs, clock))
        self.scheduler = Scheduler(self.repository, self.jobs)

    async def webhook(self, tenant: str = "", events: Sequence[str] = ("*",), **more: Any) -> Endpoint:
        tenant = tenant or self.tenant
        endpoint = Endpoint(tenant, new_id("wh"))
        webhook = Webhook(
            endpoint=endpoint,
            url="https://example.com/",
            events=list(events),
            created_at=Micros(self.now),
            updated_at=Micros(self.now),
            **more,
        )
        await self.tables.put(WEBHOOKS, webhook.item)
        return endpoint

    async def publish(self, tenant: str = "", count: int = 1) -> list[Event]:
        """Publish `count` events, as a feature would."""
        events = [
            new_event(tenant or self.tenant, CreditsLow(available_credits=n, threshold_credits=50), Micros(self.now))
            for n in range(count)
        ]
        assert all(await gather_limited([publish(self.tables, event) for event in events]))
        self._stream += [Change("INSERT", to_record(event), event.id) for event in events]
        self.published += events
        return events

    async def publish_existing(self, item: Item) -> None:
        """Let the stream show an item that is in the outbox."""
        self._stream.append(Change("INSERT", item, str(len(self._stream))))

    async def run(self, days: float = 0.0, *, steps: int = 100_000) -> None:
        """Let everything happen that happens within `days`, or at once."""
        end = self.now + int(days * 24 * 60 * MINUTE)
        for _ in range(steps):
            if await self._work():
                continue
            moment = await self._next_moment()
            if moment > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, moment)
            await self._schedule()
        raise AssertionError("it never comes to rest")

    async def deliveries(self, endpoint: Endpoint) -> list[Item]:
        request = {
            "TableName": self.tables.name(DELIVERIES),
            "KeyConditionExpression": "webhook = :w AND begins_with(#i, :p)",
            "ExpressionAttributeNames": {"#i": "item"},
            "ExpressionAttributeValues": to_item({":w": endpoint.partition, ":p": DELIVERY_PREFIX}),
            "ConsistentRead": True,
        }
        found: list[Item] = []
        page: dict[str, Any] = {"LastEvaluatedKey": None}
        while "LastEvaluatedKey" in page:
            start = page["LastEvaluatedKey"]
            page = await self.plain.call("Query", request | ({"ExclusiveStartKey": start} if start else {}))
            found += map(from_item, page["Items"])
        return found

    async def states(self, endpoint: Endpoint) -> Counter[str]:
        return Counter(delivery["state"] for delivery in await self.deliveries(endpoint))

    async def webhook_item(self, endpoint: Endpoint) -> Item:
        return await self.tables.get(WEBHOOKS, endpoint.key)

    async def webhook_record(self, endpoint: Endpoint) -> Webhook:
        return Webhook.of(await self.webhook_item(endpoint))

    def of_table(self, table: Table, *words: str) -> Matches:
        """Selects requests for one item of `table` in which all `words` occur."""
        return lambda request: (
            request.get("TableName") == self.tables.name(table) and all(word in str(request) for word in words)
        )

    async def assert_nothing_lost(self, *endpoints: Endpoint) -> None:
        """Every published event reached every endpoint, each under one id only, and is recorded so."""
        for endpoint in endpoints:
            bodies: dict[str, set[str]] = defaultdict(set)
            for to, id, body, _ in self.endpoints.got:
                if to == endpoint.webhook:
                    bodies[id].add(body)
            assert {body for (body,) in bodies.values()} == {event.body for event in self.published}
            assert len(bodies) == len(self.published)
            assert await self.states(endpoint) == {State.DELIVERED.value: len(self.published)}

    async def process(self, job: Job) -> None:
        """Process one job, as the sender does."""
        await self.sender.process(Received(job.message().body, redelivered=False))

    async def process_parked(self, endpoint: Endpoint) -> None:
        """Process the job that looks for parked deliveries."""
        await self.process(ParkedJob(endpoint))

    async def close(self) -> None:
        await self.plain.close()
        await self.dynamodb.close()

    async def _work(self) -> bool:
        """Whether there was anything to do at this moment."""
        relayed = await self._relay()
        fanned = await self._consume(self.events, self._fan_out)
        sent = await self._consume(self.jobs, self.sender.process)
        return relayed or fanned or sent

    async def _relay(self) -> bool:
        batch = self._stream[:100]
        if not batch:
            return False
        try:
            left = await self.relay.publish(batch)
        except ProcessDied:
            self.restart()
            return True
        done = batch.index(left[0]) if left else len(batch)
        self._stream = self._stream[done:]
        return True

    async def _fan_out(self, received: Received) -> None:
        await self.fanout.fan_out(PublishedEvent(**received.body["detail"]), redelivered=received.redelivered)

    async def _consume(self, queue: MemoryQueue, work: Callable[[Received], Awaitable[None]]) -> bool:
        event = queue.receive()
        if event["Records"]:
            try:
                queue.settle(event, await each_message(event, work, _logger))
            except ProcessDied:
                self.restart()  # the whole batch comes again
        return bool(event["Records"])

    async def _next_moment(self) -> int:
        """When there is something to do: a message comes into sight, or the scheduler would find something due."""
        moments = [moment for queue in (self.events, self.jobs) if (moment := queue.next_visible) is not None]
        due = [int(item["due"]) for item in await self.indexed() if item["shard"].isdigit()]
        runs = [max(self._scheduled, -(-moment // MINUTE) * MINUTE - MINUTE) + MINUTE for moment in due]
        return min([*moments, *runs], default=self.now + 10**15)

    async def indexed(self) -> list[Item]:
        """What the index shows: what the scheduler enqueues, and what is parked."""
        return [item async for item in self.tables.scan(DELIVERIES, index=DUE)]

    async def _schedule(self) -> None:
        if self.now < self._scheduled + MINUTE:
            return
        self._scheduled = self.now
        try:
            await self.scheduler.enqueue_due(Micros(self.now))
        except ProcessDied:
            self.restart()
