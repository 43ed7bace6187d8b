"""Replays at work: side by side, in bounded runs, and after their webhook is gone."""

import asyncio
from collections.abc import Callable

import pytest

from callmissed.aws.batches import each_message
from callmissed.clock import SECOND, Micros
from callmissed.observability import get_logger
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.jobs import ReplayJob
from functions.webhooks.replays.runner import Replayer
from functions.webhooks.storage.records import Delivery, Endpoint, State
from functions.webhooks.storage.replays import DeliveryReplay
from tests.support.webhooks.crashes import CrashPlan
from tests.support.webhooks.replays import replay_id, start_replay
from tests.support.webhooks.simulation import Simulation, ok, status

DAY = 24 * 3600 * SECOND
MINUTES = 1 / 24 / 60


async def delivered(simulation: Simulation, count: int) -> Endpoint:
    """A webhook that got `count` events a day ago."""
    endpoint = await simulation.webhook()
    await simulation.publish(count=count)
    await simulation.run()
    simulation.endpoints.got.clear()
    simulation.now += DAY
    return endpoint


async def test_two_processes_at_the_same_replay_send_everything_once(simulation: Simulation) -> None:
    endpoint = await delivered(simulation, 60)
    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    replayers = [Replayer(simulation.repository, simulation.jobs, simulation.clock) for _ in range(2)]
    await asyncio.gather(*(replayer.run(ReplayJob(endpoint, replay_id(key))) for replayer in replayers))

    many_senders = simulation.jobs.receive(max_messages=1000)
    await each_message(many_senders, simulation.sender.process, get_logger("test"))
    await simulation.run(days=60 * MINUTES)

    assert len(simulation.endpoints.taken(endpoint.webhook)) == 60
    assert len(simulation.endpoints.got) == 60
    assert (await simulation.database.get(DELIVERIES, key))["state"] == "done"


@pytest.mark.parametrize("kind", ["replay", "recover"])
async def test_random_deaths_leave_nothing_out(new_simulation: Callable[[CrashPlan], Simulation], kind: str) -> None:
    simulation = new_simulation(crash_plan := CrashPlan(seed=5))
    endpoint = await simulation.webhook()
    await simulation.publish(count=80)
    simulation.endpoints.answers[endpoint.webhook] = status(410 if kind == "recover" else 200)
    await simulation.run()
    if kind == "recover":
        await simulation.database.update_if(WEBHOOKS, endpoint.key, set={"active": True}, remove=("disabled_reason",))
        await simulation.repository.deliveries.mark_parked(endpoint, Micros(simulation.now))
        simulation.endpoints.answers[endpoint.webhook] = ok
    simulation.endpoints.got.clear()
    simulation.now += DAY
    key = await start_replay(simulation, endpoint, kind, since=simulation.now - 2 * DAY)

    crash_plan.share = 0.02
    await simulation.run(days=0.5)
    crash_plan.share = 0.0
    await simulation.run(days=0.5)

    assert crash_plan.deaths > 5
    assert len(simulation.endpoints.taken(endpoint.webhook)) == 80
    assert set(await simulation.states(endpoint)) == {State.DELIVERED}
    assert (await simulation.database.get(DELIVERIES, key))["state"] == "done"


async def test_a_run_ends_before_its_process_does_and_enqueues_the_rest(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await delivered(simulation, 220)
    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    replayer = Replayer(simulation.repository, simulation.jobs, simulation.clock)
    next_deliveries = simulation.repository.replays.next_deliveries

    async def slow(replay: DeliveryReplay, limit: int) -> tuple[list[Delivery], bool]:
        simulation.now += 15 * SECOND
        return await next_deliveries(replay, limit)

    with monkeypatch.context() as patched:
        patched.setattr(simulation.repository.replays, "next_deliveries", slow)
        await replayer.run(ReplayJob(endpoint, replay_id(key)))

    replay = await simulation.database.get(DELIVERIES, key)
    assert (replay["state"], replay["seen"]) == ("running", 200)
    await simulation.run(days=60 * MINUTES)
    assert len(simulation.endpoints.taken(endpoint.webhook)) == 220


async def test_a_replay_ends_with_its_webhook(simulation: Simulation) -> None:
    endpoint = await delivered(simulation, 20)
    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    assert await simulation.database.delete_if(WEBHOOKS, endpoint.key)

    await simulation.run(days=60 * MINUTES)

    assert len(await simulation.deliveries(endpoint)) == 20
    replay = await simulation.database.get(DELIVERIES, key)
    assert replay["state"] == "done"
    assert "due" not in replay
