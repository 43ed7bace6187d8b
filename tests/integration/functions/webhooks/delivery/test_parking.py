"""Parked deliveries: what one job does with them, what it costs, and what it leaves alone."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.platform.tables import DELIVERIES, WEBHOOKS, Table
from functions.webhooks.storage.records import PARKED_KEY, Endpoint, State
from tests.support.webhooks.audits import audit_of
from tests.support.webhooks.jobs import queued_jobs
from tests.support.webhooks.simulation import Simulation, status

MINUTES = 1 / 24 / 60


async def parked_deliveries(simulation: Simulation, count: int) -> Endpoint:
    """A webhook that is active and well, with deliveries parked while it was paused."""
    endpoint = await simulation.webhook(active=False)
    await queued_jobs(simulation, count)
    assert await simulation.states(endpoint) == {State.PARKED: count}
    assert await simulation.tables.update_if(WEBHOOKS, endpoint.key, set={"active": True})
    return endpoint


async def test_two_jobs_release_each_parked_delivery_once(simulation: Simulation) -> None:
    endpoint = await parked_deliveries(simulation, count=3)
    releasing = simulation.of_table(DELIVERIES, State.PENDING.value, "D#")
    simulation.dynamodb.before("UpdateItem", partial(simulation.process_parked, endpoint), matching=releasing)

    await simulation.process_parked(endpoint)

    assert simulation.dynamodb.pending == 0
    assert simulation.jobs.sent["attempt"] == 3
    await simulation.run(days=10 * MINUTES)
    assert sorted(simulation.endpoints.taken(endpoint.webhook).values()) == [1, 1, 1]


async def test_a_job_that_comes_early_is_repeated_when_a_probe_is_due(
    simulation: Simulation,
) -> None:
    moment = simulation.now + 5 * MINUTE
    endpoint = await simulation.webhook(consecutive_failures=5, first_failure_at=simulation.now, open_until=moment)
    await queued_jobs(simulation, count=3)
    parked = await simulation.deliveries(endpoint)
    simulation.now += 2 * MINUTE
    assert await simulation.scheduler.enqueue_due(Micros(simulation.now)) == 0
    await simulation.tables.update_if(DELIVERIES, endpoint.parked_key, set=endpoint.due(Micros(simulation.now)))
    assert await simulation.scheduler.enqueue_due(Micros(simulation.now)) == 1

    await simulation.run()
    assert (await simulation.database.get(DELIVERIES, endpoint.parked_key))["due"] == f"{moment:020}"
    await simulation.run(days=2.9 * MINUTES)

    assert await simulation.deliveries(endpoint) == parked
    await simulation.run(days=1 * MINUTES)
    assert moment <= simulation.endpoints.got[0][3] <= moment + MINUTE


async def test_a_paused_webhook_with_parked_deliveries_costs_few_messages(simulation: Simulation) -> None:
    endpoint = await simulation.webhook(active=False)
    await simulation.publish(count=3)

    await simulation.run(days=60 * MINUTES)

    assert await simulation.states(endpoint) == {State.PARKED: 3}
    assert simulation.jobs.sent["parked"] <= 3
    assert simulation.jobs.sent["attempt"] == 0


@pytest.mark.parametrize("parks", ["PutItem", "UpdateItem"], ids=["fanout", "sender"])
async def test_a_delivery_whose_parking_was_not_answered_is_looked_for(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, parks: str
) -> None:
    """The write that parks is applied and its answer lost; sent again it is refused."""
    endpoint = await simulation.webhook()
    opened = {"consecutive_failures": 5, "first_failure_at": simulation.now, "open_until": simulation.now + MINUTE}
    open_breaker = partial(simulation.tables.update_if, WEBHOOKS, endpoint.key, set=opened)
    simulation.dynamodb.before("Query" if parks == "PutItem" else "BatchGetItem", open_breaker)
    send, lost = simulation.dynamodb.send, list[str]()

    async def losing(operation: str, payload: bytes) -> dict[str, Any]:
        answer = await send(operation, payload)
        if operation == parks and b'"parked"' in payload and not lost:
            lost.append(operation)
            raise Unavailable("the answer was lost", indeterminate=True)
        return answer

    monkeypatch.setattr(simulation.dynamodb, "send", losing)
    await simulation.publish()
    await simulation.run()
    assert lost == [parks]
    assert await simulation.states(endpoint) == {State.PARKED: 1}
    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) != {}

    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_a_mark_stays_when_something_is_parked_while_nothing_was_found(simulation: Simulation) -> None:
    """Only `rev` differs: the mark is due at the same moment as before."""
    endpoint = await empty_mark(simulation)
    keep = partial(simulation.aside.deliveries.mark_parked, endpoint, Micros(simulation.now + MINUTE))
    simulation.dynamodb.before("DeleteItem", keep)

    await simulation.process_parked(endpoint)

    assert simulation.dynamodb.pending == 0
    assert (await simulation.database.get(DELIVERIES, endpoint.parked_key))["rev"] == 2


async def test_a_mark_stays_when_something_is_parked_after_nothing_was_found(simulation: Simulation) -> None:
    endpoint = await empty_mark(simulation)
    await simulation.aside.deliveries.mark_parked(endpoint, Micros(simulation.now))

    await simulation.process_parked(endpoint)

    assert (await simulation.database.get(DELIVERIES, endpoint.parked_key))["rev"] == 2


async def test_a_mark_stays_that_replaced_the_one_that_was_read(simulation: Simulation) -> None:
    """Only `due` differs: `rev` counts from the beginning."""
    endpoint = await empty_mark(simulation)

    async def another() -> None:
        assert await simulation.tables.delete_if(DELIVERIES, endpoint.parked_key)
        await simulation.aside.deliveries.mark_parked(endpoint, Micros(simulation.now + MINUTE))

    simulation.dynamodb.before("DeleteItem", another)

    await simulation.process_parked(endpoint)

    assert simulation.dynamodb.pending == 0
    assert (await simulation.database.get(DELIVERIES, endpoint.parked_key))["rev"] == 1


async def empty_mark(simulation: Simulation) -> Endpoint:
    """A webhook whose mark of parked deliveries the next job removes."""
    endpoint = await simulation.webhook()
    await simulation.aside.deliveries.mark_parked(endpoint, Micros(simulation.now))
    await simulation.process_parked(endpoint)
    simulation.now += 2 * MINUTE
    return endpoint


async def test_a_job_restores_no_mark_that_another_removed(simulation: Simulation) -> None:
    endpoint = await parked_deliveries(simulation, count=1)
    simulation.dynamodb.before(
        "UpdateItem",
        lambda: simulation.tables.delete_if(DELIVERIES, endpoint.parked_key),
        matching=simulation.of_table(DELIVERIES, PARKED_KEY),
    )

    await simulation.process_parked(endpoint)

    assert simulation.dynamodb.pending == 0
    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) == {}


@pytest.mark.parametrize(
    ("operation", "table"),
    [("GetItem", DELIVERIES), ("GetItem", WEBHOOKS), ("DeleteItem", DELIVERIES)],
    ids=["before both reads", "between the reads", "after both reads"],
)
async def test_a_webhook_resumed_at_any_moment_of_a_job_gets_what_was_parked(
    simulation: Simulation, operation: str, table: Table
) -> None:
    endpoint = await simulation.webhook(active=False)
    await queued_jobs(simulation)
    simulation.now += SECOND
    webhook = await simulation.webhook_record(endpoint)
    active = replace(webhook, active=True)
    changed = partial(simulation.aside.webhooks.change, webhook, active, audit=audit_of(webhook))
    resume = partial(changed, resume_at=Micros(simulation.now))
    simulation.dynamodb.before(operation, resume, matching=simulation.of_table(table))

    await simulation.process_parked(endpoint)
    await simulation.run(days=60 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


@pytest.mark.parametrize("active", [True, False], ids=["breaker", "paused"])
async def test_parking_one_more_delivery_delays_no_others(simulation: Simulation, active: bool) -> None:
    """The breaker opens anew again and again; whatever is parked then must not delay the others."""
    endpoint = await simulation.webhook(active=active, open_until=simulation.now + 5 * MINUTE)
    await simulation.aside.deliveries.mark_parked(endpoint, Micros(simulation.now + 7 * SECOND))
    before = await simulation.database.get(DELIVERIES, endpoint.parked_key)

    await queued_jobs(simulation)

    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) == before | {"rev": 2}


async def test_a_parked_delivery_has_no_next_attempt(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish()
    await simulation.run()
    assert "next" in (await simulation.deliveries(endpoint))[0]

    assert await simulation.tables.update_if(WEBHOOKS, endpoint.key, set={"active": False})
    await simulation.run(days=1 * MINUTES)

    assert await simulation.states(endpoint) == {State.PARKED: 1}
    assert "next" not in (await simulation.deliveries(endpoint))[0]
