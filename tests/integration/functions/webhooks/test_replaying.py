"""Replays at work: side by side, in bounded runs, and after their webhook is gone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.batches import each_message
from callmissed.clock import SECOND
from callmissed.observability import get_logger
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.records import Endpoint, State, webhook_key
from functions.webhooks.replaying import Replayer
from tests.integration.functions.webhooks.test_breaker import DAY, MINUTES, start_replay
from tests.support.webhooks.simulation import Fate, Simulation, ok, status


async def told(simulation: Simulation, count: int) -> Endpoint:
    """A webhook that got `count` events a day ago."""
    endpoint = await simulation.webhook()
    await simulation.tell(count=count)
    await simulation.run()
    simulation.endpoints.got.clear()
    simulation.now += DAY
    return endpoint


async def test_two_at_the_same_replay_send_everything_once(simulation: Simulation) -> None:
    endpoint = await told(simulation, 120)
    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    replayers = [Replayer(simulation.store, simulation.orders, simulation.clock) for _ in range(2)]
    await asyncio.gather(*(replayer.go_on(endpoint, key["item"].removeprefix("R#")) for replayer in replayers))

    many_senders = simulation.orders.receive(most=1000)
    await each_message(many_senders, simulation.sender.carry_out, get_logger("test"))
    await simulation.run(days=60 * MINUTES)

    assert len(simulation.endpoints.taken(endpoint.webhook)) == 120
    assert len(simulation.endpoints.got) == 120
    assert (await simulation.store.get(DELIVERIES, key))["state"] == "done"


@pytest.mark.parametrize("kind", ["replay", "recover"])
async def test_random_deaths_leave_nothing_out(new_simulation: Callable[[Fate], Simulation], kind: str) -> None:
    simulation = new_simulation(fate := Fate(seed=5))
    endpoint = await simulation.webhook()
    await simulation.tell(count=150)
    simulation.endpoints.answers[endpoint.webhook] = status(410 if kind == "recover" else 200)
    await simulation.run()
    if kind == "recover":
        await simulation.store.change(WEBHOOKS, webhook_key(endpoint), {"active": True}, {}, gone=("off",))
        await simulation.store.keep_lane(endpoint, simulation.now)
        simulation.endpoints.answers[endpoint.webhook] = ok
    simulation.endpoints.got.clear()
    simulation.now += DAY
    key = await start_replay(simulation, endpoint, kind, since=simulation.now - 2 * DAY)

    fate.share = 0.01
    await simulation.run(days=0.5)
    fate.share = 0.0
    await simulation.run(days=0.5)

    assert fate.deaths > 5
    assert len(simulation.endpoints.taken(endpoint.webhook)) == 150
    assert set(await simulation.states(endpoint)) == {State.DELIVERED}
    assert (await simulation.store.get(DELIVERIES, key))["state"] == "done"


async def test_a_run_ends_before_its_process_does_and_orders_the_rest(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await told(simulation, 350)
    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    replayer = Replayer(simulation.store, simulation.orders, simulation.clock)
    page = simulation.store.page

    async def slow(request: dict[str, Any]) -> tuple[list[Item], dict[str, Any] | None]:
        simulation.now += 15 * SECOND
        return await page(request)

    with monkeypatch.context() as patched:
        patched.setattr(simulation.store, "page", slow)
        await replayer.go_on(endpoint, key["item"].removeprefix("R#"))

    replay = await simulation.store.get(DELIVERIES, key)
    assert (replay["state"], replay["seen"]) == ("running", 200)
    await simulation.run(days=60 * MINUTES)
    assert len(simulation.endpoints.taken(endpoint.webhook)) == 350


async def test_a_replay_ends_with_its_webhook(simulation: Simulation) -> None:
    endpoint = await told(simulation, 20)
    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    assert await simulation.store.delete(WEBHOOKS, webhook_key(endpoint), {})

    await simulation.run(days=60 * MINUTES)

    assert len(await simulation.deliveries(endpoint)) == 20
    replay = await simulation.store.get(DELIVERIES, key)
    assert replay["state"] == "done"
    assert "due" not in replay
