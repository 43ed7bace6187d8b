"""Content of the tables before a measurement: healthy and failing endpoints, and the deliveries that wait for them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.delivery import seeding
from bench.delivery.delays import Scenario
from callmissed.clock import SECOND, Micros, system_clock
from callmissed.events.outbox import to_record
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.jobs import AttemptJob
from functions.webhooks.storage.records import Endpoint, State
from functions.webhooks.storage.repository import Repository

T = TypeVar("T")
Body = dict[str, Any]

PARKED_EVENTS = 100
TRIPPED = 5
FAILED_SECONDS = 60
OPENS_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of everything: messages and those before that warm up, parked deliveries, jobs of a burst, events."""

    messages: int = 1500
    warm_up: int = 200
    parked: int = 100_000
    burst: int = 2000
    events: int = 150
    burst_events: int = 120
    pace: float = 10.0

    def quick(self) -> "Counts":
        """About a tenth."""
        return Counts(150, 20, 10_000, 300, 100, 40, self.pace)


class ScenarioSetup:
    """Prepares scenarios in the DynamoDB `dynamodb` with endpoints at `receiver`."""

    def __init__(self, dynamodb: str, receiver: str, counts: Counts) -> None:
        self._dynamodb = dynamodb
        self._receiver = receiver
        self._counts = counts

    def work(self) -> tuple[list[Body], list[Body]]:
        """Jobs for first attempts at a healthy endpoint, and messages for the fan-out."""
        return self._with_store(self._work)

    def quiet_tenant(self) -> Endpoint:
        """A tenant whose endpoint is healthy."""
        return self._with_store(lambda store: seeding.webhook(store, f"{self._receiver}/ok"))

    def failing_tenant(self) -> Endpoint:
        """A tenant whose endpoint never answers, with its deliveries parked."""
        return self._with_store(self._failing_tenant)

    def alone(self, quiet: Endpoint) -> Scenario:
        """No other tenant has events."""
        counts = self._counts
        return Scenario(self._dynamodb, self._receiver, quiet.tenant, counts.events, counts.pace)

    def beside_outage(self, quiet: Endpoint, failing: Endpoint) -> Scenario:
        """The breaker is open, and the next probe is due in a second."""
        self._with_store(lambda store: _keep_open(store, failing))
        counts = self._counts
        return Scenario(
            self._dynamodb, self._receiver, quiet.tenant, counts.events, counts.pace, failing=failing.tenant
        )

    def beside_burst(self, quiet: Endpoint, *, fair: bool, scales: bool) -> Scenario:
        """Outage start: an endpoint stops responding with thousands of its jobs in the queue."""
        failing, jobs = self._with_store(self._burst)
        counts = self._counts
        scenario = (self._dynamodb, self._receiver, quiet.tenant, counts.burst_events, counts.pace)
        return Scenario(*scenario, failing=failing.tenant, burst=jobs, fair=fair, scales=scales)

    def failed_probes(self, failing: Endpoint) -> int:
        """How many attempts have failed since `beside_outage` prepared the scenario."""
        return self._with_store(lambda store: _failures(store, failing)) - TRIPPED

    def _with_store(self, act: Callable[[Repository], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run(_act(self._dynamodb, act))

    async def _work(self, store: Repository) -> tuple[list[Body], list[Body]]:
        endpoint = await seeding.webhook(store, f"{self._receiver}/ok")
        count = self._counts.messages + self._counts.warm_up
        published = await seeding.events(store, endpoint, count)
        made = await seeding.deliveries(store, endpoint, published, State.PENDING)
        new = await seeding.events(store, endpoint, count)
        shown = ("id", "tenant", "type", "created")
        details = [{name: to_record(event)[name] for name in shown} for event in new]
        return [AttemptJob.of(each).message().body for each in made], [{"detail": detail} for detail in details]

    async def _failing_tenant(self, store: Repository) -> Endpoint:
        endpoint = await seeding.webhook(store, f"{self._receiver}/hang")
        published = await seeding.events(store, endpoint, PARKED_EVENTS)
        copies = self._counts.parked // PARKED_EVENTS
        await seeding.deliveries(store, endpoint, published, State.PARKED, copies=copies)
        return endpoint

    async def _burst(self, store: Repository) -> tuple[Endpoint, list[Body]]:
        endpoint = await seeding.webhook(store, f"{self._receiver}/hang")
        published = await seeding.events(store, endpoint, self._counts.burst)
        made = await seeding.deliveries(store, endpoint, published, State.PENDING)
        return endpoint, [AttemptJob.of(each).message().body for each in made]


async def _act(dynamodb: str, act: Callable[[Repository], Coroutine[Any, Any, T]]) -> T:
    store = seeding.open_repository(dynamodb)
    try:
        return await act(store)
    finally:
        await store.database.close()


async def _keep_open(store: Repository, endpoint: Endpoint) -> None:
    now = system_clock()
    opens = now + OPENS_AFTER_SECONDS * SECOND
    failing = {"consecutive_failures": TRIPPED, "first_failure_at": now - FAILED_SECONDS * SECOND, "open_until": opens}
    await store.database.update_if(WEBHOOKS, endpoint.key, set=failing)
    await store.database.put(DELIVERIES, {**endpoint.parked_key, "rev": 1, **endpoint.due(Micros(opens))})


async def _failures(store: Repository, endpoint: Endpoint) -> int:
    webhook = await store.webhooks.get(endpoint)
    return webhook.consecutive_failures or 0 if webhook else 0
