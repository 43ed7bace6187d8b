"""Health of routes among processes: shared in the background, and never waited for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.catalog.model import ProviderRoute
from callmissed.platform.tables import TENANTS
from callmissed_ai.routing.breaker import FAILURES_TO_OPEN, Stance
from callmissed_ai.routing.health import RouteHealth, key_of
from callmissed_ai.routing.sharing import PARTITION, READ_SECONDS, SPEED_SECONDS, SharedHealth
from callmissed_ai.routing.speeds import MAX_TOKENS_PER_SECOND, Speed
from local.aws.tables import StageTables
from tests.support.counting import CountingDynamoDB
from tests.support.inference.gateway import REGION
from tests.support.inference.routes import Answer, FakeClock, ScriptedRoutes, scripted_routes

ROUTE = ProviderRoute("lab", "model")


class Process:
    """A process that shares its health; all have the same clock."""

    def __init__(self, endpoint: str, stage: str, clock: FakeClock) -> None:
        self.dynamodb = CountingDynamoDB(REGION, endpoint)
        self.health = RouteHealth(clock)
        self.shared = SharedHealth(Database(self.dynamodb, stage), self.health)
        self.health.sharing = self.shared

    def breaks(self) -> None:
        for _ in range(FAILURES_TO_OPEN):
            self.health.fail(ROUTE)

    @property
    def stance(self) -> Stance:
        return self.health.breaker.stance(key_of(ROUTE))

    @property
    def operations(self) -> list[str]:
        return self.dynamodb.count.operations


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def processes(tables: StageTables, clock: FakeClock) -> AsyncIterator[list[Process]]:
    made = [Process(tables.endpoint, tables.stage, clock) for _ in range(2)]
    yield made
    for process in made:
        await process.health.close()
        await process.dynamodb.close()


async def look(process: Process) -> None:
    """What a call of `process` starts, to its end."""
    process.health.poll()
    await process.shared.exchanged()


async def test_outage_that_one_process_meets_is_known_to_the_other(processes: list[Process]) -> None:
    first, second = processes
    first.breaks()
    await first.shared.exchanged()
    await look(second)

    assert (first.stance, second.stance) == (Stance.OPEN, Stance.OPEN)


async def test_end_of_an_outage_is_known_too(processes: list[Process], clock: FakeClock) -> None:
    first, second = processes
    first.breaks()
    await first.shared.exchanged()
    await look(second)
    clock.passes(10)
    second.health.begin(ROUTE)
    second.health.succeed(ROUTE, 1)
    await second.shared.exchanged()
    await look(first)

    assert not first.health.breaker.circuit(key_of(ROUTE)).is_tripped
    assert not first.health.begin(ROUTE)


async def test_wait_that_a_provider_asked_one_process_for_holds_for_the_other(
    processes: list[Process], clock: FakeClock
) -> None:
    first, second = processes
    first.health.fail(ROUTE, 60)
    await first.shared.exchanged()
    await look(second)

    assert (second.stance, second.health.waits(ROUTE)) == (Stance.WAITING, 60)
    clock.passes(60)
    assert second.stance is Stance.READY


async def test_speeds_are_shared_now_and_then(processes: list[Process], clock: FakeClock) -> None:
    first, second = processes
    for _ in range(20):
        first.health.wrote(ROUTE, 50, 1_000)
        first.health.succeed(ROUTE, 800)
        await look(first)
        clock.passes(READ_SECONDS)
    await look(second)

    speed = second.health.speeds.of(key_of(ROUTE))
    assert (speed.begins_ms, speed.tokens_per_second) == (800, 50)
    writes = [each for each in first.operations if each.startswith("PutItem")]
    assert len(writes) == -(-20 * READ_SECONDS // SPEED_SECONDS)


async def test_many_calls_read_once_in_a_while(processes: list[Process], clock: FakeClock) -> None:
    first, _ = processes
    for _ in range(100):
        await look(first)
        clock.passes(READ_SECONDS / 50)

    assert first.operations == ["Query tenants"] * 2


async def test_item_is_small_and_expires_by_its_times(processes: list[Process], tables: StageTables) -> None:
    first, _ = processes
    first.breaks()
    first.health.fail(ROUTE, 60)
    first.health.wrote(ROUTE, 50, 1_000)
    first.health.succeed(ROUTE, 800)
    await first.shared.exchanged()

    items = [item async for item in Database(first.dynamodb, tables.stage).query(TENANTS, PARTITION)]
    assert [item["item"] for item in items] == ["lab model"]
    assert len(str(items[0])) < 300


async def test_news_of_one_process_outlives_the_older_news_of_another(
    processes: list[Process], tables: StageTables, clock: FakeClock
) -> None:
    """As of a process that was frozen before it had written its own."""
    first, second = processes
    second.health.succeed(ROUTE, 800)
    clock.passes(15 * 60)
    first.breaks()
    first.health.fail(ROUTE, 60)
    await first.shared.exchanged()

    await look(second)

    third = Process(tables.endpoint, tables.stage, clock)
    await look(third)
    assert (second.stance, third.stance, third.health.waits(ROUTE)) == (Stance.WAITING, Stance.WAITING, 60)
    clock.passes(60)
    third.health.begin(ROUTE)
    assert third.health.breaker.circuit(key_of(ROUTE)).is_tripped
    await third.dynamodb.close()


async def test_news_of_both_are_kept(processes: list[Process], tables: StageTables, clock: FakeClock) -> None:
    first, second = processes
    first.health.fail(ROUTE, 60)
    await first.shared.exchanged()
    clock.passes(1)
    second.breaks()
    await second.shared.exchanged()

    third = Process(tables.endpoint, tables.stage, clock)
    await look(third)
    assert third.health.waits(ROUTE) == 59
    assert third.health.breaker.circuit(key_of(ROUTE)).is_tripped
    await third.dynamodb.close()


async def test_times_of_a_clock_that_was_put_back_are_no_speeds(
    processes: list[Process], tables: StageTables, clock: FakeClock
) -> None:
    first, second = processes
    first.health.succeed(ROUTE, -5_000)
    first.health.wrote(ROUTE, 50, -5_000)
    assert first.health.speeds.of(key_of(ROUTE)) == Speed()
    nonsense = {"written": clock(), "begins_ms": -1, "tokens_per_second": 10**30}
    await Database(first.dynamodb, tables.stage).put(TENANTS, {"tenant": PARTITION, "item": "lab model", **nonsense})

    await look(second)

    assert second.health.speeds.of(key_of(ROUTE)) == Speed(None, MAX_TOKENS_PER_SECOND)


class Broken(CountingDynamoDB):
    """DynamoDB that does not answer well."""

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        raise Unavailable("gone", indeterminate=False)


class Silent(CountingDynamoDB):
    """DynamoDB that does not answer at all."""

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@pytest.mark.parametrize("kind", [Broken, Silent])
async def test_calls_neither_wait_for_dynamodb_nor_fail_with_it(
    monkeypatch: pytest.MonkeyPatch, tables: StageTables, kind: type[CountingDynamoDB]
) -> None:
    routes: ScriptedRoutes = scripted_routes(monkeypatch)
    health = routes.router.health
    health.sharing = SharedHealth(Database(kind(REGION, tables.endpoint), tables.stage), health)
    routes.otherwise["first"] = Answer(500)

    for _ in range(2 * FAILURES_TO_OPEN):
        assert (await routes.call()).route.provider == "second"
        await asyncio.sleep(0)

    assert routes.asked[-1] == "second-two"
    await routes.router.close()


async def test_items_of_others_do_no_harm(processes: list[Process], tables: StageTables) -> None:
    first, _ = processes
    database = Database(first.dynamodb, tables.stage)
    for number, item in enumerate(["lab", "", "lab model", "lab model with spaces", "x" * 500]):
        if item:
            await database.put(TENANTS, {"tenant": PARTITION, "item": item, "open_until": "soon", "changed": number})
    huge = {"open_until": 10**30, "wait_until": 10**30, "changed": -5, "begins_ms": -1}
    await database.put(TENANTS, {"tenant": PARTITION, "item": "lab huge", **huge})

    await look(first)

    assert first.stance is Stance.READY
    assert first.health.waits(ProviderRoute("lab", "huge")) <= 600
