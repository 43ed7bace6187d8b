"""Two workers at the same delivery, breaker or webhook, both on what they read before either wrote."""

from functools import partial
from typing import Any

import pytest

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.circuit_breaker import PATIENCE, CircuitBreaker
from functions.webhooks.storage.records import PARKED_KEY, Endpoint, State, delivery_key
from tests.support.webhooks.items import new_delivery
from tests.support.webhooks.jobs import disabled_events, queued_jobs
from tests.support.webhooks.simulation import Simulation, status

MINUTES = 1 / 24 / 60


async def delete_webhook(simulation: Simulation, endpoint: Endpoint) -> None:
    assert await simulation.tables.delete_if(WEBHOOKS, endpoint.key)


async def test_two_workers_of_one_failing_job_count_one_attempt_and_send_one_job(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    [job] = await queued_jobs(simulation)
    simulation.dynamodb.before("PutItem", job)

    await job()

    assert simulation.dynamodb.pending == 0
    assert len(simulation.endpoints.got) == 2
    assert [delivery["n"] for delivery in await simulation.deliveries(endpoint)] == [1]
    assert simulation.jobs.sent["attempt"] == 2  # the first job and the next one


async def test_a_job_that_comes_twice_makes_one_attempt(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    [job] = await queued_jobs(simulation)

    await job()
    await job()

    assert len(simulation.endpoints.got) == 1
    assert simulation.jobs.sent["attempt"] == 2  # the first job and the next one


async def test_two_workers_probe_an_endpoint_by_one_attempt(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    one, other = await queued_jobs(simulation, count=2)
    tripped = {"consecutive_failures": 5, "first_failure_at": simulation.now - SECOND, "open_until": simulation.now}
    assert await simulation.tables.update_if(WEBHOOKS, endpoint.key, set=tripped)
    simulation.dynamodb.before("UpdateItem", other, matching=simulation.of_table(WEBHOOKS, "SET #open_until"))

    await one()

    assert simulation.dynamodb.pending == 0
    assert len(simulation.endpoints.got) == 1
    assert await simulation.states(endpoint) == {State.PENDING: 1, State.PARKED: 1}


@pytest.mark.parametrize("open_until", [None, -1], ids=["closed", "half-open"])
async def test_two_failures_trip_the_breaker_once(simulation: Simulation, open_until: int | None) -> None:
    now = simulation.now
    opened: dict[str, Any] = {} if open_until is None else {"open_until": now + open_until}
    endpoint = await simulation.webhook(consecutive_failures=5, first_failure_at=now - SECOND, **opened)
    breaker, moments = CircuitBreaker(simulation.repository), list[int | None]()

    async def other() -> None:
        moments.append(await breaker.record_failure(endpoint, Micros(now)))

    simulation.dynamodb.before("UpdateItem", other, matching=simulation.of_table(WEBHOOKS, "SET #open_until"))

    assert await breaker.record_failure(endpoint, Micros(now + SECOND)) is None

    assert (await simulation.webhook_item(endpoint))["open_until"] == moments[0] == now + 30 * SECOND


async def test_a_failure_of_an_attempt_made_before_the_trip_prolongs_no_pause(simulation: Simulation) -> None:
    endpoint = await simulation.webhook(consecutive_failures=4, first_failure_at=simulation.now)
    breaker = CircuitBreaker(simulation.repository)
    until = await breaker.record_failure(endpoint, Micros(simulation.now))

    assert until == simulation.now + 30 * SECOND
    assert await breaker.record_failure(endpoint, Micros(simulation.now + 10 * SECOND)) is None

    assert (await simulation.webhook_item(endpoint))["open_until"] == until


async def test_two_disablings_publish_one_event(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(410)
    one, other = await queued_jobs(simulation, count=2)
    simulation.dynamodb.before("TransactWriteItems", other)

    await one()

    assert simulation.dynamodb.pending == 0
    assert len(simulation.endpoints.got) == 2
    assert len(await disabled_events(simulation)) == 1
    assert (await simulation.webhook_item(endpoint))["revision"] == 2


async def test_two_failures_after_five_days_publish_one_event(simulation: Simulation) -> None:
    endpoint = await simulation.webhook(consecutive_failures=50, first_failure_at=simulation.now - PATIENCE)
    breaker = CircuitBreaker(simulation.repository)
    simulation.dynamodb.before("TransactWriteItems", partial(breaker.record_failure, endpoint, Micros(simulation.now)))

    assert await breaker.record_failure(endpoint, Micros(simulation.now)) is None

    assert simulation.dynamodb.pending == 0
    assert len(await disabled_events(simulation)) == 1


@pytest.mark.parametrize(
    ("answer", "failures", "write"),
    [
        (500, {}, "ADD #consecutive_failures"),
        (500, {"consecutive_failures": 4}, "SET #open_until"),
        (200, {"consecutive_failures": 3}, "SET #consecutive_failures"),
    ],
    ids=["failure", "trip", "success"],
)
async def test_an_attempt_recorded_after_the_deletion_of_its_webhook_leaves_nothing(
    simulation: Simulation, answer: int, failures: Item, write: str
) -> None:
    since: dict[str, Any] = {"first_failure_at": simulation.now} if failures else {}
    endpoint = await simulation.webhook(**failures, **since)
    simulation.endpoints.answers[endpoint.webhook] = status(answer)
    [job] = await queued_jobs(simulation)
    delete = partial(delete_webhook, simulation, endpoint)
    simulation.dynamodb.before("UpdateItem", delete, matching=simulation.of_table(WEBHOOKS, write))

    await job()
    assert simulation.dynamodb.pending == 0
    assert await simulation.webhook_item(endpoint) == {}
    await simulation.run(days=60 * MINUTES)

    await assert_nothing_is_left_of(simulation, endpoint, State.DELIVERED if answer == 200 else State.FAILED)


async def test_a_delivery_parked_after_the_deletion_of_its_webhook_is_looked_for_by_nobody(
    simulation: Simulation,
) -> None:
    endpoint = await simulation.webhook(active=False)
    delete = partial(delete_webhook, simulation, endpoint)
    simulation.dynamodb.before("UpdateItem", delete, matching=simulation.of_table(DELIVERIES, PARKED_KEY))

    await queued_jobs(simulation)
    assert simulation.dynamodb.pending == 0
    await simulation.run(days=60 * MINUTES)

    await assert_nothing_is_left_of(simulation, endpoint, State.PARKED)
    assert simulation.jobs.sent["parked"] == 1


async def assert_nothing_is_left_of(simulation: Simulation, endpoint: Endpoint, state: State) -> None:
    """No webhook, no mark of parked deliveries, one delivery in its last `state`, and nothing that is due."""
    assert await simulation.webhook_item(endpoint) == {}
    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) == {}
    assert await simulation.states(endpoint) == {state: 1}
    assert [item for item in await simulation.indexed() if item["shard"].isdigit()] == []


async def test_two_schedulers_send_one_job(simulation: Simulation) -> None:
    endpoint = await due_delivery(simulation)
    again = partial(simulation.scheduler.enqueue_due, Micros(simulation.now))
    simulation.dynamodb.before("UpdateItem", again, matching=simulation.of_table(DELIVERIES, endpoint.partition))

    assert await simulation.scheduler.enqueue_due(Micros(simulation.now)) == 0

    assert simulation.dynamodb.pending == 0
    assert simulation.jobs.sent["attempt"] == 1


async def test_a_delivery_that_ends_while_the_scheduler_reads_is_due_no_more(simulation: Simulation) -> None:
    endpoint = await due_delivery(simulation)
    key = delivery_key(endpoint, "dlv_1")
    end = partial(simulation.tables.update_if, DELIVERIES, key, set={"state": "delivered"}, remove=("shard", "due"))
    simulation.dynamodb.before("UpdateItem", end, matching=simulation.of_table(DELIVERIES, endpoint.partition))

    assert await simulation.scheduler.enqueue_due(Micros(simulation.now)) == 0

    assert "due" not in await simulation.database.get(DELIVERIES, key)
    assert len(simulation.jobs) == 0


async def due_delivery(simulation: Simulation) -> Endpoint:
    endpoint = await simulation.webhook()
    event = {"id": "evt_1", "type": "credits.low", "created": simulation.now}
    delivery = new_delivery(endpoint, "dlv_1", event, State.PENDING)
    await simulation.tables.put(DELIVERIES, delivery | endpoint.due(Micros(simulation.now)))
    return endpoint
