"""Every write to a delivery rests on its state and its number of attempts, and is refused when either has changed."""

from collections.abc import Awaitable, Callable

import pytest

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, SECOND
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.jobs import ReplayJob
from functions.webhooks.storage.records import Endpoint, State
from functions.webhooks.storage.replays import ReplayKind
from tests.support.webhooks.jobs import Job, queued_jobs
from tests.support.webhooks.replays import replay_id, start_replay
from tests.support.webhooks.simulation import Simulation, status

Writer = Callable[[Simulation], Awaitable[tuple[Endpoint, Job]]]


async def giving_up(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_a_success(simulation)
    assert await simulation.tables.delete_if(WEBHOOKS, endpoint.key)
    return endpoint, job


async def recording_a_success(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint = await simulation.webhook()
    [job] = await queued_jobs(simulation)
    return endpoint, job


async def recording_a_failure(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_a_success(simulation)
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    return endpoint, job


async def recording_the_last_failure(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_a_success(simulation)
    simulation.endpoints.answers[endpoint.webhook] = status(410)
    return endpoint, job


async def parking(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_a_success(simulation)
    await activate(simulation, endpoint, active=False)
    return endpoint, job


async def releasing(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint = await simulation.webhook(active=False)
    await queued_jobs(simulation)
    await activate(simulation, endpoint, active=True)
    return endpoint, lambda: simulation.process_parked(endpoint)


async def recovering(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_the_last_failure(simulation)
    await job()
    await activate(simulation, endpoint, active=True)
    simulation.now += SECOND
    replay = await start_replay(simulation, endpoint, ReplayKind.RECOVER, since=simulation.now - MINUTE)
    return endpoint, lambda: simulation.process(ReplayJob(endpoint, replay_id(replay)))


async def activate(simulation: Simulation, endpoint: Endpoint, *, active: bool) -> None:
    assert await simulation.tables.update_if(WEBHOOKS, endpoint.key, set={"active": active})


@pytest.mark.parametrize("moved", [{"state": State.DELIVERED.value}, {"n": 7}], ids=lambda moved: next(iter(moved)))
@pytest.mark.parametrize(
    "writer",
    [
        giving_up,
        parking,
        recording_a_failure,
        recording_a_success,
        recording_the_last_failure,
        recovering,
        releasing,
    ],
)
async def test_a_write_is_refused_when_its_delivery_has_changed(
    simulation: Simulation, writer: Writer, moved: Item
) -> None:
    endpoint, job = await writer(simulation)
    [seen] = await simulation.deliveries(endpoint)
    queued = simulation.jobs.sent["attempt"]
    key = {name: seen[name] for name in ("webhook", "item")}
    simulation.dynamodb.before(
        "UpdateItem",
        lambda: simulation.tables.update_if(DELIVERIES, key, set=moved),
        matching=simulation.of_table(DELIVERIES, seen["item"]),
    )

    await job()

    assert simulation.dynamodb.pending == 0
    assert await simulation.deliveries(endpoint) == [seen | moved]
    assert simulation.jobs.sent["attempt"] == queued


@pytest.mark.parametrize("moved", [{"state": "done"}, {"seen": 7}], ids=lambda moved: next(iter(moved)))
async def test_the_progress_of_a_replay_is_refused_when_another_process_has_written_it(
    simulation: Simulation, moved: Item
) -> None:
    endpoint = await simulation.webhook()
    key = await start_replay(simulation, endpoint, ReplayKind.REPLAY, since=simulation.now - MINUTE)
    seen = await simulation.database.get(DELIVERIES, key)
    simulation.dynamodb.before("UpdateItem", lambda: simulation.tables.update_if(DELIVERIES, key, set=moved))

    await simulation.process(ReplayJob(endpoint, replay_id(key)))

    assert simulation.dynamodb.pending == 0
    assert await simulation.database.get(DELIVERIES, key) == seen | moved
