"""A process dies at every single step of parking a delivery, and its job never comes again: the delivery still goes on.

Every story has one event only, so that no other delivery of the endpoint marks that something is parked.
"""

from collections.abc import Awaitable, Callable

import pytest

from callmissed.clock import MINUTE, SECOND
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.jobs import ParkedJob
from functions.webhooks.storage.records import Delivery, Endpoint, State
from tests.support.stride import some
from tests.support.webhooks.crashes import CrashPlan
from tests.support.webhooks.simulation import Simulation

MINUTES = 1 / 24 / 60
Story = Callable[[Simulation], Awaitable[Endpoint]]
New = Callable[..., Simulation]


async def open_breaker(simulation: Simulation, endpoint: Endpoint, until: int) -> None:
    """What the failures of another delivery do."""
    new = {"consecutive_failures": 5, "first_failure_at": simulation.now, "open_until": until}
    assert await simulation.tables.update_if(WEBHOOKS, endpoint.key, set=new)


async def close_breaker(simulation: Simulation, endpoint: Endpoint) -> None:
    """What the success of another delivery does."""
    assert await simulation.tables.update_if(
        WEBHOOKS, endpoint.key, set={"consecutive_failures": 0}, remove=("first_failure_at", "open_until")
    )
    await simulation.jobs.send([ParkedJob(endpoint).message()])


async def parked_by_the_sender(simulation: Simulation, endpoint: Endpoint | None = None) -> Endpoint:
    """The breaker opens between the fan-out and the attempt."""
    endpoint = endpoint or await simulation.webhook()
    simulation.dynamodb.before(
        "BatchGetItem", lambda: open_breaker(simulation, endpoint, until=simulation.now + MINUTE)
    )
    await simulation.publish()
    await simulation.run()
    return endpoint


async def parked_by_the_fanout_and_a_probe(simulation: Simulation) -> Endpoint:
    """The breaker is open. Later another process takes the probe between this one's read and write."""
    endpoint = await simulation.webhook(
        consecutive_failures=5, first_failure_at=simulation.now, open_until=simulation.now + MINUTE
    )
    simulation.dynamodb.before(
        "UpdateItem",
        lambda: open_breaker(simulation, endpoint, until=simulation.now + 15 * SECOND),
        matching=simulation.of_table(WEBHOOKS, "SET #open_until"),
    )
    await simulation.publish()
    await simulation.run(days=2 * MINUTES)
    return endpoint


async def to_the_end(simulation: Simulation, story: Story) -> Endpoint:
    endpoint = await story(simulation)
    await simulation.run(days=60 * MINUTES)
    return endpoint


@pytest.mark.parametrize("story", [parked_by_the_sender, parked_by_the_fanout_and_a_probe])
async def test_no_delivery_stays_parked_whose_process_died_and_whose_job_is_dead(
    new_simulation: New, story: Story
) -> None:
    simulation = new_simulation(CrashPlan())
    await simulation.assert_nothing_lost(await to_the_end(simulation, story))
    assert simulation.dynamodb.pending == 0

    for number in some(simulation.crash_plan.changing):
        simulation = new_simulation(CrashPlan(number), tries=1)
        endpoint = await to_the_end(simulation, story)
        assert simulation.crash_plan.deaths == 1, number
        assert (await simulation.states(endpoint))[State.PARKED] == 0, number

        simulation.events.redrive()
        simulation.jobs.redrive()
        await simulation.run(days=60 * MINUTES)
        await simulation.assert_nothing_lost(endpoint)


async def test_a_slow_process_parks_a_delivery_that_is_still_looked_for(simulation: Simulation) -> None:
    """It needs all of its 60 s before its write, while the endpoint is well again, and clocks are off by 5 s."""
    endpoint = await simulation.webhook()

    async def recover() -> None:
        await close_breaker(simulation, endpoint)
        await simulation.run(days=65 / 60 * MINUTES)

    parking = simulation.of_table(DELIVERIES, State.PARKED.value, "D#")
    simulation.dynamodb.before("UpdateItem", recover, matching=parking)
    await parked_by_the_sender(simulation, endpoint)
    assert simulation.dynamodb.pending == 0
    assert await simulation.states(endpoint) == {State.PARKED: 1}

    await simulation.run(days=60 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_a_job_that_finds_its_delivery_parked_has_it_looked_for(simulation: Simulation) -> None:
    """The write that parks is applied after its mark was removed; the job is a dead letter that was put back."""
    endpoint = await simulation.webhook()

    async def park_late() -> None:
        [delivery] = await simulation.deliveries(endpoint)
        key = {"webhook": endpoint.partition, "item": delivery["item"]}
        assert await simulation.tables.update_if(DELIVERIES, key, set=Delivery.of(delivery).parked)

    simulation.dynamodb.before("BatchGetItem", park_late)
    await simulation.publish()
    await simulation.run(days=60 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)
    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) == {}
