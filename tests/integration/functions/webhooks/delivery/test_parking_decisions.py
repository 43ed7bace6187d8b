"""What parking decides to do with parked deliveries, for each state of their webhook."""

from typing import Any

import pytest

from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.parking import Drain, Probe
from functions.webhooks.storage.records import Endpoint
from tests.support.webhooks.jobs import queued_jobs
from tests.support.webhooks.simulation import Simulation


async def parked_by_pause(simulation: Simulation, count: int, **webhook: Any) -> Endpoint:
    """A webhook with deliveries parked while it was paused, which is in this state now."""
    endpoint = await simulation.webhook(active=False)
    await queued_jobs(simulation, count)
    assert await simulation.tables.update_if(WEBHOOKS, endpoint.key, set={"active": True, **webhook})
    return endpoint


async def test_an_endpoint_that_answers_is_drained_oldest_first(simulation: Simulation) -> None:
    endpoint = await parked_by_pause(simulation, 3)
    parked = [delivery["item"].removeprefix("D#") for delivery in await simulation.deliveries(endpoint)]

    decision = await simulation.dispatcher.parking.drain_or_probe(endpoint)

    assert isinstance(decision, Drain)
    assert decision.endpoint == endpoint
    assert [delivery.id for delivery in decision.deliveries] == parked


async def test_a_probe_is_the_delivery_with_the_fewest_attempts(simulation: Simulation) -> None:
    endpoint = await parked_by_pause(simulation, 3, consecutive_failures=5, open_until=simulation.now)
    items = await simulation.deliveries(endpoint)
    for attempts, item in zip((2, 1, 3), items, strict=True):
        key = {"webhook": item["webhook"], "item": item["item"]}
        assert await simulation.tables.update_if(DELIVERIES, key, set={"n": attempts})

    decision = await simulation.dispatcher.parking.drain_or_probe(endpoint)

    assert isinstance(decision, Probe)
    assert (decision.delivery.id, decision.delivery.attempts) == (items[1]["item"].removeprefix("D#"), 1)


@pytest.mark.parametrize("change", ["open", "paused"])
async def test_nothing_is_done_while_the_webhook_must_wait(simulation: Simulation, change: str) -> None:
    waits = {"open": {"open_until": simulation.now + SECOND}, "paused": {"active": False}}
    endpoint = await parked_by_pause(simulation, 1, **waits[change])
    before = await simulation.deliveries(endpoint)

    assert await simulation.dispatcher.parking.drain_or_probe(endpoint) is None

    assert await simulation.deliveries(endpoint) == before
    assert simulation.jobs.sent["attempt"] == 0


async def test_nothing_is_done_for_a_webhook_without_parked_deliveries(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()

    assert await simulation.dispatcher.parking.drain_or_probe(endpoint) is None
    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) == {}
