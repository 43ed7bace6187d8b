"""What is in the tables before something is measured: whose endpoint is well, whose is dead, and what waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.delivery import seeding
from bench.delivery.delays import Scene
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


class Scenery:
    """Sets scenes at the DynamoDB `dynamodb` with endpoints at `receiver`."""

    def __init__(self, dynamodb: str, receiver: str, counts: Counts) -> None:
        self._dynamodb = dynamodb
        self._receiver = receiver
        self._counts = counts

    def work(self) -> tuple[list[Body], list[Body]]:
        """Jobs for first attempts at an endpoint that is well, and messages for the fan-out."""
        return self._with_store(self._work)

    def quiet_tenant(self) -> Endpoint:
        """A tenant whose endpoint is well."""
        return self._with_store(lambda store: seeding.webhook(store, f"{self._receiver}/ok"))

    def dead_tenant(self) -> Endpoint:
        """A tenant whose endpoint never answers, with its deliveries parked."""
        return self._with_store(self._dead_tenant)

    def alone(self, quiet: Endpoint) -> Scene:
        """Nobody else is there."""
        counts = self._counts
        return Scene(self._dynamodb, self._receiver, quiet.tenant, counts.events, counts.pace)

    def beside_dead(self, quiet: Endpoint, dead: Endpoint) -> Scene:
        """The breaker is open, and in a second it will be time for a probe."""
        self._with_store(lambda store: _keep_open(store, dead))
        counts = self._counts
        return Scene(self._dynamodb, self._receiver, quiet.tenant, counts.events, counts.pace, dead=dead.tenant)

    def beside_burst(self, quiet: Endpoint, *, fair: bool, scales: bool) -> Scene:
        """Outage start: an endpoint stops responding with thousands of its jobs in the queue."""
        dead, orders = self._with_store(self._burst)
        counts = self._counts
        scene = (self._dynamodb, self._receiver, quiet.tenant, counts.burst_events, counts.pace)
        return Scene(*scene, dead=dead.tenant, burst=orders, fair=fair, scales=scales)

    def failed_probes(self, dead: Endpoint) -> int:
        """How many attempts have failed since the scene beside `dead` was set."""
        return self._with_store(lambda store: _failures(store, dead)) - TRIPPED

    def _with_store(self, act: Callable[[Repository], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run(_act(self._dynamodb, act))

    async def _work(self, store: Repository) -> tuple[list[Body], list[Body]]:
        endpoint = await seeding.webhook(store, f"{self._receiver}/ok")
        count = self._counts.messages + self._counts.warm_up
        told = await seeding.events(store, endpoint, count)
        made = await seeding.deliveries(store, endpoint, told, State.PENDING)
        new = await seeding.events(store, endpoint, count)
        shown = ("id", "tenant", "type", "created")
        details = [{name: to_record(event)[name] for name in shown} for event in new]
        return [AttemptJob.of(each).message().body for each in made], [{"detail": detail} for detail in details]

    async def _dead_tenant(self, store: Repository) -> Endpoint:
        endpoint = await seeding.webhook(store, f"{self._receiver}/hang")
        told = await seeding.events(store, endpoint, PARKED_EVENTS)
        copies = self._counts.parked // PARKED_EVENTS
        await seeding.deliveries(store, endpoint, told, State.PARKED, copies=copies)
        return endpoint

    async def _burst(self, store: Repository) -> tuple[Endpoint, list[Body]]:
        endpoint = await seeding.webhook(store, f"{self._receiver}/hang")
        told = await seeding.events(store, endpoint, self._counts.burst)
        made = await seeding.deliveries(store, endpoint, told, State.PENDING)
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
