"""Endpoints that do not answer: the breaker, lanes, pauses, and the end after five days."""

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks import messages
from functions.webhooks.attempts import Outcome
from functions.webhooks.health import Health, Off
from functions.webhooks.items import update
from functions.webhooks.records import LANE, Endpoint, State, due, webhook_key
from functions.webhooks.spans import key_before
from tests.support.webhooks.jobs import disabled_events
from tests.support.webhooks.simulation import Simulation, ok, status

MINUTES = 1 / 24 / 60
DAY = 24 * 3600 * SECOND


async def tripped(simulation: Simulation, count: int = 5) -> Endpoint:
    """A webhook whose endpoint has failed often enough."""
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.tell(count=count)
    await simulation.run()
    assert "open" in await simulation.webhook_item(endpoint)
    return endpoint


async def resume(simulation: Simulation, endpoint: Endpoint) -> None:
    """What the API does when a webhook is resumed."""
    gone = ("ff", "open", "off", "off_at")
    assert await simulation.store.change(WEBHOOKS, webhook_key(endpoint), {"active": True, "cf": 0}, {}, gone=gone)
    await simulation.store.keep_lane(endpoint, simulation.now)
    await simulation.orders.send([messages.lane(endpoint)])


async def test_a_dead_endpoint_s_deliveries_wait_in_no_queue(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    attempts, orders = len(simulation.endpoints.got), simulation.orders.sent["attempt"]

    await simulation.tell(count=50)
    await simulation.run()

    assert len(simulation.endpoints.got) == attempts
    assert simulation.orders.sent["attempt"] == orders
    assert (await simulation.states(endpoint))[State.PARKED] == 50


async def test_it_is_probed_by_one_attempt_at_a_time(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    await simulation.tell(count=50)
    await simulation.run()
    before = len(simulation.endpoints.got)

    await simulation.run(days=2 * MINUTES)

    assert 1 <= len(simulation.endpoints.got) - before <= 8  # five retries after 5 s park; probes come each half minute
    assert (await simulation.states(endpoint))[State.PARKED] >= 40


async def test_when_it_answers_again_everything_arrives(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    await simulation.tell(count=150)
    await simulation.run(days=3 * MINUTES)

    simulation.endpoints.answers[endpoint.webhook] = ok
    await simulation.run(days=20 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)
    webhook = await simulation.webhook_item(endpoint)
    assert webhook["cf"] == 0
    assert "open" not in webhook
    assert await simulation.store.get(DELIVERIES, {"webhook": endpoint.partition, "item": LANE}) == {}


async def test_what_it_never_takes_keeps_it_from_nothing_else(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    refused = {event.body for event in await simulation.tell(count=5)}

    def answer(now: int) -> Outcome:
        return status(400)(now) if simulation.endpoints.got[-1][2] in refused else ok(now)

    simulation.endpoints.answers[endpoint.webhook] = answer
    await simulation.run(days=0.3 * MINUTES)
    assert "open" in await simulation.webhook_item(endpoint)
    await simulation.tell(count=20)
    await simulation.run(days=3 * MINUTES)

    assert (await simulation.states(endpoint))[State.DELIVERED] == 20


async def test_it_makes_nobody_else_wait(simulation: Simulation) -> None:
    dead = await tripped(simulation)
    well = await simulation.webhook(tenant="tnt_2")
    await simulation.tell(count=200)

    await simulation.tell("tnt_2")
    await simulation.run()

    assert len(simulation.endpoints.taken(well.webhook)) == 1
    assert simulation.endpoints.got[-1][3] == simulation.now
    assert (await simulation.states(dead))[State.PARKED] >= 200


async def test_a_success_forgets_the_failures_before_it(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    for _ in range(3):
        simulation.endpoints.answers[endpoint.webhook] = status(500)
        await simulation.tell(count=4)
        await simulation.run()
        simulation.endpoints.answers[endpoint.webhook] = ok
        await simulation.tell()
        await simulation.run()

    webhook = await simulation.webhook_item(endpoint)
    assert webhook["cf"] == 0
    assert "open" not in webhook


async def test_a_paused_webhook_collects_and_a_resumed_one_gets_it_all(simulation: Simulation) -> None:
    endpoint = await simulation.webhook(active=False)
    await simulation.tell(count=120)
    await simulation.run(days=1)
    assert simulation.endpoints.got == []
    assert await simulation.states(endpoint) == {State.PARKED: 120}

    await resume(simulation, endpoint)
    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_a_lane_outlasts_an_index_that_lags_however_often_it_is_looked_at(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await parked(simulation)
    with monkeypatch.context() as lagging:
        lagging.setattr(simulation.store, "page", nothing_yet)
        for _ in range(3):
            await simulation.dispatcher.lanes.look(endpoint, simulation.dispatcher.probe)

    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_who_found_a_lane_empty_leaves_the_one_that_came_after_it(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await parked(simulation)
    key = {"webhook": endpoint.partition, "item": LANE}

    async def another(_request: object) -> tuple[list[Item], None]:
        lane = await simulation.store.get(DELIVERIES, key)
        assert await simulation.store.delete(DELIVERIES, key, {"rev": lane["rev"]})
        await simulation.store.keep_lane(endpoint, simulation.now + SECOND)
        return [], None

    with monkeypatch.context() as slow:
        slow.setattr(simulation.store, "page", nothing_yet)
        await simulation.dispatcher.lanes.look(endpoint, simulation.dispatcher.probe)
        simulation.now += 120 * SECOND
        slow.setattr(simulation.store, "page", another)
        await simulation.dispatcher.lanes.look(endpoint, simulation.dispatcher.probe)

    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def parked(simulation: Simulation) -> Endpoint:
    """A webhook with a delivery that was parked just now and can go on."""
    endpoint = await simulation.webhook(open=simulation.now + 1)
    await simulation.tell()
    await simulation.run()
    assert await simulation.states(endpoint) == {State.PARKED: 1}
    assert await simulation.store.change(WEBHOOKS, webhook_key(endpoint), {}, {}, gone=("open",))
    return endpoint


async def nothing_yet(_request: object) -> tuple[list[Item], None]:
    """What an index shows that lags."""
    return [], None


async def test_five_days_of_failure_disable_it_and_tell_the_others(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    other = await simulation.webhook(events=["webhook.disabled"])

    await simulation.run(days=4.9)
    assert (await simulation.webhook_item(endpoint))["active"]
    await simulation.tell(count=1)
    await simulation.run(days=0.2)

    webhook = await simulation.webhook_item(endpoint)
    assert (webhook["active"], webhook["off"]) == (False, "failing")
    [event] = await disabled_events(simulation)
    assert endpoint.webhook in event["body"]
    simulation.told.clear()
    await simulation.tell_existing(event)
    await simulation.run()
    assert len(simulation.endpoints.taken(other.webhook)) == 1
    assert simulation.endpoints.got[-1][0] == other.webhook


async def test_a_disabled_webhook_recovers_by_one_call(simulation: Simulation) -> None:
    endpoint = await tripped(simulation, count=10)
    await simulation.run(days=5)
    await simulation.tell(count=3)
    await simulation.run(days=1)
    assert not (await simulation.webhook_item(endpoint))["active"]
    ids = set(simulation.endpoints.taken(endpoint.webhook)) | {
        delivery["item"].removeprefix("D#") for delivery in await simulation.deliveries(endpoint)
    }

    simulation.endpoints.answers[endpoint.webhook] = ok
    await resume(simulation, endpoint)
    await start_replay(simulation, endpoint, "recover", since=simulation.now - 10 * DAY)
    simulation.endpoints.got.clear()
    await simulation.run(days=20 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)
    assert set(simulation.endpoints.taken(endpoint.webhook)) == ids


async def test_410_disables_it_at_once(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(410)

    await simulation.tell()
    await simulation.run(days=1)

    assert len(simulation.endpoints.got) == 1
    webhook = await simulation.webhook_item(endpoint)
    assert (webhook["active"], webhook["off"]) == (False, "gone")
    assert await simulation.states(endpoint) == {State.FAILED: 1}


async def test_410_of_an_address_that_was_left_meanwhile_disables_nothing(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    seen = await simulation.webhook_item(endpoint)
    moved = {"url": "https://example.org/"}
    assert await simulation.store.change(WEBHOOKS, webhook_key(endpoint), moved, {})

    await Health(simulation.store).disable(endpoint, seen, Off.GONE, simulation.now)

    webhook = await simulation.webhook_item(endpoint)
    assert webhook["active"]
    assert "off" not in webhook
    assert await disabled_events(simulation) == []


async def test_an_owner_who_saw_it_active_does_not_undo_half_of_the_disabling(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    seen = await simulation.webhook_item(endpoint)
    await Health(simulation.store).disable(endpoint, seen, Off.GONE, simulation.now)

    with pytest.raises(TransactionCanceled):
        await Database(simulation.plain, simulation.stage).transact(
            [update(seen, {"active": True, "description": "CRM"})]
        )

    webhook = await simulation.webhook_item(endpoint)
    assert (webhook["active"], webhook["off"]) == (False, "gone")


async def test_a_range_is_replayed_under_new_ids_whatever_its_size(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    await simulation.tell(count=220)
    await simulation.run()
    first = set(simulation.endpoints.taken(endpoint.webhook))
    simulation.now += DAY

    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    await simulation.run(days=5 * MINUTES)

    second = set(simulation.endpoints.taken(endpoint.webhook)) - first
    assert len(first) == len(second) == 220
    replay = await simulation.store.get(DELIVERIES, key)
    assert (replay["state"], replay["seen"], replay["queued"]) == ("done", 220, 220)
    origins = {delivery.get("origin") for delivery in await simulation.deliveries(endpoint)} - {None}
    assert origins == first


async def test_a_replay_keeps_to_what_was_asked_for(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    await simulation.tell(count=3)
    await simulation.run()
    simulation.endpoints.got.clear()
    simulation.now += DAY

    for more in ({"events": ["message.received"]}, {"states": ["failed"]}):
        await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY, **more)
    await start_replay(simulation, endpoint, "replay", since=simulation.now - DAY // 2)
    await simulation.run(days=5 * MINUTES)

    assert simulation.endpoints.got == []


async def start_replay(simulation: Simulation, endpoint: Endpoint, kind: str, *, since: int, **more: object) -> Item:
    """What the API does when a replay is started."""
    key = {"webhook": endpoint.partition, "item": f"R#{kind}{simulation.fate.steps}"}
    times = {"created": simulation.now, "since": since, "until": simulation.now - 1000}
    chosen = {"events": ["*"], "states": ["failed"] if kind == "recover" else [*map(str, State)], **more}
    item = {**key, "kind": kind, **times, "state": "running", "seen": 0, "queued": 0, **chosen}
    item["cursor"] = key_before(since)
    await simulation.store.put(DELIVERIES, item | due(endpoint, simulation.now + 120 * SECOND))
    await simulation.orders.send([messages.replay(endpoint, key["item"].removeprefix("R#"))])
    return key
