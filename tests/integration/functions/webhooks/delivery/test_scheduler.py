"""The timer, when more is due than one run can order."""

from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.scheduler import Timer
from functions.webhooks.storage.records import State, due, new_delivery
from functions.webhooks.storage.repository import at_once
from tests.support.webhooks.simulation import Simulation


async def test_a_run_ends_before_its_process_does_with_everything_ordered_that_it_claimed(
    simulation: Simulation,
) -> None:
    endpoint = await simulation.webhook()
    event = {"id": "evt_1", "type": "credits.low", "created": simulation.now}
    rows = [new_delivery(endpoint, f"dlv_{n:022}", event, State.PENDING) for n in range(300)]
    await at_once([simulation.store.put(DELIVERIES, row | due(endpoint, simulation.now)) for row in rows])

    def hurried() -> int:
        simulation.now += 60 * SECOND
        return simulation.now

    timer = Timer(simulation.store, simulation.orders, hurried)
    moment = simulation.now

    assert await timer.ring(moment) == 250
    assert simulation.orders.sent["attempt"] == 250
    assert await timer.ring(moment) == 50
    assert simulation.orders.sent["attempt"] == 300
