"""Every write to a delivery rests on its state and its number of attempts, and is refused when either has changed."""

from collections.abc import Awaitable, Callable

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.batches import Received
from callmissed.clock import MINUTE, SECOND
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks import messages
from functions.webhooks.records import REPLAY, Endpoint, State, webhook_key
from functions.webhooks.replaying import DONE, RECOVER
from functions.webhooks.replays import REPEAT
from tests.integration.functions.webhooks.test_breaker import start_replay
from tests.support.webhooks.jobs import Job, queued_jobs
from tests.support.webhooks.simulation import Simulation, status

Writer = Callable[[Simulation], Awaitable[tuple[Endpoint, Job]]]


async def giving_up(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_a_success(simulation)
    assert await simulation.aside.delete(WEBHOOKS, webhook_key(endpoint), {})
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
    return endpoint, lambda: simulation.dispatcher.lanes.look(endpoint, simulation.dispatcher.probe)


async def recovering(simulation: Simulation) -> tuple[Endpoint, Job]:
    endpoint, job = await recording_the_last_failure(simulation)
    await job()
    await activate(simulation, endpoint, active=True)
    simulation.now += SECOND
    replay = await start_replay(simulation, endpoint, RECOVER, since=simulation.now - MINUTE)
    body = messages.replay(endpoint, _id(replay)).body
    return endpoint, lambda: simulation.sender.carry_out(Received(body, again=False))


async def activate(simulation: Simulation, endpoint: Endpoint, *, active: bool) -> None:
    assert await simulation.aside.change(WEBHOOKS, webhook_key(endpoint), {"active": active}, {})


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
    queued = simulation.orders.sent["attempt"]
    key = {name: seen[name] for name in ("webhook", "item")}
    simulation.dynamodb.before(
        "UpdateItem",
        lambda: simulation.aside.change(DELIVERIES, key, moved, {}),
        matching=simulation.of_table(DELIVERIES, seen["item"]),
    )

    await job()

    assert simulation.dynamodb.pending == 0
    assert await simulation.deliveries(endpoint) == [seen | moved]
    assert simulation.orders.sent["attempt"] == queued


@pytest.mark.parametrize("moved", [{"state": DONE}, {"seen": 7}], ids=lambda moved: next(iter(moved)))
async def test_the_progress_of_a_replay_is_refused_when_another_process_has_written_it(
    simulation: Simulation, moved: Item
) -> None:
    endpoint = await simulation.webhook()
    key = await start_replay(simulation, endpoint, REPEAT, since=simulation.now - MINUTE)
    seen = await simulation.store.get(DELIVERIES, key)
    simulation.dynamodb.before("UpdateItem", lambda: simulation.aside.change(DELIVERIES, key, moved, {}))

    await simulation.sender.carry_out(Received(messages.replay(endpoint, _id(key)).body, again=False))

    assert simulation.dynamodb.pending == 0
    assert await simulation.store.get(DELIVERIES, key) == seen | moved


def _id(replay: Item) -> str:
    return replay["item"].removeprefix(REPLAY)
