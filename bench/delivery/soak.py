"""Thousands of events through processes that die at random steps: how many are lost, and how many come twice.

Time, SQS, the stream and the bus are simulated (`tests/support/webhooks/simulation.py`), the tables are real. One
attempt in fifty fails, so that retries and the scheduler take part.
"""

import random
import time
from dataclasses import dataclass

from callmissed.clock import Micros
from callmissed.events.outbox import Event
from functions.webhooks.delivery.attempts import AttemptOutcome
from functions.webhooks.storage.records import Endpoint
from local.aws.tables import StageTables
from tests.support.webhooks.crashes import CrashPlan
from tests.support.webhooks.simulation import Simulation, ok, status

DEATHS_PER_STEP = 1 / 400
FAILURES_PER_ATTEMPT = 1 / 50
HALF_A_DAY = 0.5


@dataclass(frozen=True, slots=True)
class SoakLoad:
    """`count` events into the tables of `stage` at the DynamoDB `dynamodb`; the same `seed` makes the same deaths."""

    dynamodb: str
    stage: str
    count: int
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Soak:
    """Result of a soak. A duplicate is an event that an endpoint took once more."""

    events: int
    steps: int
    deaths: int
    attempts: int
    lost: int
    duplicates: int
    seconds: float

    @property
    def duplicate_rate(self) -> float:
        """Duplicates per event."""
        return self.duplicates / self.events

    @property
    def deaths_per_event(self) -> float:
        """Deaths per event."""
        return self.deaths / self.events


class _Endpoint:
    """Fails now and then, and counts what it took."""

    def __init__(self, seed: int) -> None:
        self.taken = 0
        self._random = random.Random(seed)

    def answer(self, now: Micros) -> AttemptOutcome:
        if self._random.random() < FAILURES_PER_ATTEMPT:
            return status(500)(now)
        self.taken += 1
        return ok(now)


async def soak(load: SoakLoad) -> Soak:
    """Publish all events and process them to the end."""
    began, server = time.monotonic(), _Endpoint(load.seed)
    simulation = Simulation(StageTables(load.dynamodb, load.stage), CrashPlan(share=DEATHS_PER_STEP, seed=load.seed))
    try:
        endpoint = await simulation.webhook()
        simulation.endpoints.answers[endpoint.webhook] = server.answer
        published = await simulation.publish(count=load.count)
        await simulation.run(days=HALF_A_DAY, steps=100 * load.count)
        lost = await _lost(simulation, endpoint, published)
    finally:
        await simulation.close()
    return Soak(
        events=load.count,
        steps=simulation.crash_plan.steps,
        deaths=simulation.crash_plan.deaths,
        attempts=len(simulation.endpoints.got),
        lost=lost,
        duplicates=server.taken - (load.count - lost),
        seconds=time.monotonic() - began,
    )


async def _lost(simulation: Simulation, endpoint: Endpoint, published: list[Event]) -> int:
    """Events that never came, or whose delivery is not recorded as done."""
    bodies = {body for to, _, body, _ in simulation.endpoints.got if to == endpoint.webhook}
    done = {delivery["event"] for delivery in await simulation.deliveries(endpoint) if delivery["state"] == "delivered"}
    return sum(event.body not in bodies or event.id not in done for event in published)
