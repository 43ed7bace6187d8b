"""The scheduler, when more is due than one run can enqueue."""

from callmissed.clock import SECOND, Micros
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.delivery.scheduler import Scheduler
from functions.webhooks.storage.records import State
from tests.support.webhooks.items import new_delivery
from tests.support.webhooks.simulation import Simulation


async def test_a_run_ends_before_its_process_does_with_everything_enqueued_that_it_claimed(
    simulation: Simulation,
) -> None:
    endpoint = await simulation.webhook()
    event = {"id": "evt_1", "type": "credits.low", "created": simulation.now}
    rows = [new_delivery(endpoint, f"dlv_{n:022}", event, State.PENDING) for n in range(300)]
    await gather_limited(
        [simulation.database.put(DELIVERIES, row | endpoint.due(Micros(simulation.now))) for row in rows]
    )

    def hurried() -> Micros:
        simulation.now += 60 * SECOND
        return Micros(simulation.now)

    scheduler = Scheduler(simulation.repository, simulation.jobs, hurried)
    moment = simulation.now

    assert await scheduler.enqueue_due(Micros(moment)) == 250
    assert simulation.jobs.sent["attempt"] == 250
    assert await scheduler.enqueue_due(Micros(moment)) == 50
    assert simulation.jobs.sent["attempt"] == 300
