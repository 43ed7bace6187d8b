"""From the outbox to the endpoint: filters, the schedule, Retry-After, and what is kept of it."""

from itertools import pairwise

import pytest

from callmissed.clock import SECOND, Micros
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.jobs import AttemptJob
from functions.webhooks.delivery.schedule import ATTEMPTS, WAITS
from functions.webhooks.storage.records import DELIVERY_PREFIX, Delivery, State, attempt_key
from tests.support.webhooks.simulation import Simulation, ok, published, silent, status

HOURS = 1 / 24


async def test_an_event_reaches_every_webhook_that_wants_it_once(simulation: Simulation) -> None:
    all_events = await simulation.webhook(events=["*"])
    these = await simulation.webhook(events=["credits.*"])
    others = await simulation.webhook(events=["message.received"])
    strangers = await simulation.webhook(tenant="tnt_2")

    [event] = await simulation.publish()
    await simulation.run()

    assert {webhook for webhook, *_ in simulation.endpoints.got} == {all_events.webhook, these.webhook}
    assert [body for _, _, body, _ in simulation.endpoints.got] == [event.body] * 2
    assert await simulation.states(others) == await simulation.states(strangers) == {}


async def test_a_failing_delivery_is_tried_ten_times_over_75_hours(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)

    await simulation.publish()
    await simulation.run(days=4)

    moments = [moment for *_, moment in simulation.endpoints.got]
    waits = [(later - earlier) // SECOND for earlier, later in pairwise(moments)]
    assert len(moments) == ATTEMPTS == 10
    assert len({(id, body) for _, id, body, _ in simulation.endpoints.got}) == 1
    assert all(wanted <= wait <= wanted + 61 for wanted, wait in zip(WAITS, waits, strict=True))
    assert sum(WAITS) / 3600 == pytest.approx(75.6, abs=0.05)
    [delivery] = await simulation.deliveries(endpoint)
    assert (delivery["state"], delivery["n"], delivery["code"]) == (State.FAILED, 10, 500)
    assert "due" not in delivery
    assert "next" not in delivery


@pytest.mark.parametrize(("asked", "waits"), [(120, 120), (1, 5), (3600, 3600)])
async def test_retry_after_is_honoured_when_it_is_longer(simulation: Simulation, asked: int, waits: int) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(503, wait=asked)

    await simulation.publish()
    await simulation.run(days=2 * HOURS)

    first, second = [moment for *_, moment in simulation.endpoints.got][:2]
    assert waits <= (second - first) // SECOND <= waits + 61


@pytest.mark.parametrize(("asked", "waits"), [(900, 900), (901, 960)], ids=["queue", "scheduler"])
async def test_the_longest_delay_of_the_queue_is_waited_for_in_the_queue(
    simulation: Simulation, asked: int, waits: int
) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = lambda now: (ok if simulation.endpoints.got[1:] else busy)(
        Micros(now)
    )
    busy = status(503, wait=asked)

    await simulation.publish()
    await simulation.run(days=2 * HOURS)

    first, second = [moment for *_, moment in simulation.endpoints.got]
    assert (second - first) // SECOND == waits
    assert simulation.jobs.sent["attempt"] == 2
    await simulation.assert_nothing_lost(endpoint)


async def test_a_worker_whose_clock_is_slow_makes_the_attempt_that_the_queue_waited_for(
    simulation: Simulation,
) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish()
    await simulation.run()
    first = simulation.now

    simulation.restart(slow_seconds=5)
    await simulation.run(days=5 / 3600 * HOURS)

    assert [moment for *_, moment in simulation.endpoints.got] == [first, first]
    assert simulation.now == first + 5 * SECOND


async def test_a_job_that_comes_early_makes_no_attempt(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(503, wait=120)
    await simulation.publish()
    await simulation.run()
    [delivery] = await simulation.deliveries(endpoint)

    await simulation.jobs.send([AttemptJob.of(Delivery.of(delivery)).message()])
    await simulation.run(days=100 / 3600 * HOURS)
    assert len(simulation.endpoints.got) == 1

    await simulation.run(days=21 / 3600 * HOURS)
    assert len(simulation.endpoints.got) == 2


async def test_every_attempt_is_kept_with_its_answer(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish()
    await simulation.run()
    simulation.endpoints.answers[endpoint.webhook] = silent
    await simulation.run(days=0.01 * HOURS)
    del simulation.endpoints.answers[endpoint.webhook]

    await simulation.run(days=1 * HOURS)

    [delivery] = await simulation.deliveries(endpoint)
    id = delivery["item"].removeprefix(DELIVERY_PREFIX)
    kept = [await simulation.database.get(DELIVERIES, attempt_key(endpoint, id, number)) for number in range(1, 4)]
    assert delivery["state"] == State.DELIVERED
    assert [attempt.get("status") for attempt in kept] == [500, None, 204]
    assert [attempt.get("answer") for attempt in kept] == ["no", None, None]
    assert kept[1]["error"] == "The endpoint did not answer in time."


async def test_an_event_that_is_published_twice_is_delivered_once(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    [event] = await simulation.publish()
    await simulation.run()

    for redelivered in (False, True):
        await simulation.fanout.fan_out(published(event), redelivered=redelivered)
    await simulation.run()

    assert len(simulation.endpoints.got) == 1
    await simulation.assert_nothing_lost(endpoint)


@pytest.mark.parametrize(("redelivered", "sent"), [(False, 1), (True, 2)], ids=["other copy", "redelivered"])
async def test_a_job_is_sent_again_for_an_event_that_the_queue_delivers_again(
    simulation: Simulation, redelivered: bool, sent: int
) -> None:
    await simulation.webhook()
    [event] = await simulation.publish()

    await simulation.fanout.fan_out(published(event), redelivered=False)
    await simulation.fanout.fan_out(published(event), redelivered=redelivered)

    assert simulation.jobs.sent["attempt"] == sent


async def test_a_deleted_webhook_gets_nothing_more(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish()
    await simulation.run()
    key = {"tenant": endpoint.tenant, "webhook": endpoint.webhook}

    assert await simulation.database.delete_if(WEBHOOKS, key)
    await simulation.run(days=4)

    assert len(simulation.endpoints.got) == 1
    [delivery] = await simulation.deliveries(endpoint)
    assert (delivery["state"], delivery["error"]) == (State.FAILED, "The webhook was deleted.")
