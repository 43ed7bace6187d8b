"""Endpoints that do not answer: the circuit breaker, parked deliveries, pauses, and the end after five days."""

from dataclasses import replace

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.events.types import WebhookDisabled
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS
from callmissed.tenants.status import TenantStatus, mark_webhooks
from functions.webhooks.delivery.attempts import AttemptOutcome
from functions.webhooks.delivery.circuit_breaker import CircuitBreaker
from functions.webhooks.delivery.jobs import ParkedJob
from functions.webhooks.storage.errors import RevisionChanged
from functions.webhooks.storage.records import DisabledReason, Endpoint, IndexedDelivery, State
from tests.support.webhooks.audits import audit_of
from tests.support.webhooks.replays import start_replay
from tests.support.webhooks.simulation import Simulation, ok, status

MINUTES = 1 / 24 / 60
DAY = 24 * 3600 * SECOND


async def tripped(simulation: Simulation, count: int = 5) -> Endpoint:
    """A webhook whose endpoint has failed often enough."""
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish(count=count)
    await simulation.run()
    assert "open_until" in await simulation.webhook_item(endpoint)
    return endpoint


async def resume(simulation: Simulation, endpoint: Endpoint) -> None:
    """What the API does when a webhook is resumed."""
    gone = ("first_failure_at", "open_until", "disabled_reason", "disabled_at")
    assert await simulation.database.update_if(
        WEBHOOKS, endpoint.key, set={"active": True, "consecutive_failures": 0}, remove=gone
    )
    await simulation.repository.deliveries.mark_parked(endpoint, Micros(simulation.now))
    await simulation.jobs.send([ParkedJob(endpoint).message()])


async def test_a_dead_endpoint_s_deliveries_wait_in_no_queue(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    attempts, jobs = len(simulation.endpoints.got), simulation.jobs.sent["attempt"]

    await simulation.publish(count=50)
    await simulation.run()

    assert len(simulation.endpoints.got) == attempts
    assert simulation.jobs.sent["attempt"] == jobs
    assert (await simulation.states(endpoint))[State.PARKED] == 50


async def test_a_dead_endpoint_is_probed_by_one_attempt_at_a_time(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    await simulation.publish(count=50)
    await simulation.run()
    before = len(simulation.endpoints.got)

    await simulation.run(days=2 * MINUTES)

    assert 1 <= len(simulation.endpoints.got) - before <= 8  # five retries after 5 s park; probes come each half minute
    assert (await simulation.states(endpoint))[State.PARKED] >= 40


async def test_an_endpoint_that_answers_again_gets_everything(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    await simulation.publish(count=150)
    await simulation.run(days=3 * MINUTES)

    simulation.endpoints.answers[endpoint.webhook] = ok
    await simulation.run(days=20 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)
    webhook = await simulation.webhook_item(endpoint)
    assert webhook["consecutive_failures"] == 0
    assert "open_until" not in webhook
    assert await simulation.database.get(DELIVERIES, endpoint.parked_key) == {}


async def test_deliveries_that_an_endpoint_refuses_delay_no_others(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    refused = {event.body for event in await simulation.publish(count=5)}

    def answer(now: Micros) -> AttemptOutcome:
        return status(400)(now) if simulation.endpoints.got[-1][2] in refused else ok(now)

    simulation.endpoints.answers[endpoint.webhook] = answer
    await simulation.run(days=0.3 * MINUTES)
    assert "open_until" in await simulation.webhook_item(endpoint)
    await simulation.publish(count=20)
    await simulation.run(days=3 * MINUTES)

    assert (await simulation.states(endpoint))[State.DELIVERED] == 20


async def test_a_dead_endpoint_delays_no_other_tenant(simulation: Simulation) -> None:
    dead = await tripped(simulation)
    well = await simulation.webhook(tenant="tnt_2")
    await simulation.publish(count=200)

    await simulation.publish("tnt_2")
    await simulation.run()

    assert len(simulation.endpoints.taken(well.webhook)) == 1
    assert simulation.endpoints.got[-1][3] == simulation.now
    assert (await simulation.states(dead))[State.PARKED] >= 200


async def test_a_success_forgets_the_failures_before_it(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    for _ in range(3):
        simulation.endpoints.answers[endpoint.webhook] = status(500)
        await simulation.publish(count=4)
        await simulation.run()
        simulation.endpoints.answers[endpoint.webhook] = ok
        await simulation.publish()
        await simulation.run()

    webhook = await simulation.webhook_item(endpoint)
    assert webhook["consecutive_failures"] == 0
    assert "open_until" not in webhook


async def test_a_paused_webhook_collects_and_a_resumed_one_gets_it_all(simulation: Simulation) -> None:
    endpoint = await simulation.webhook(active=False)
    await simulation.publish(count=120)
    await simulation.run(days=1)
    assert simulation.endpoints.got == []
    assert await simulation.states(endpoint) == {State.PARKED: 120}

    await resume(simulation, endpoint)
    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_a_stopped_tenants_deliveries_wait_and_come_after_it(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    await simulation.tables.write_if(mark_webhooks(endpoint.tenant, TenantStatus.SUSPENDED))
    await simulation.publish(count=20)
    await simulation.run(days=1)
    assert simulation.endpoints.got == []
    assert await simulation.states(endpoint) == {State.PARKED: 20}

    await simulation.tables.write_if(mark_webhooks(endpoint.tenant, TenantStatus.ACTIVE))
    await simulation.run(days=8 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_a_mark_of_parked_deliveries_outlasts_an_index_that_lags(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await parked(simulation)
    with monkeypatch.context() as lagging:
        lagging.setattr(simulation.repository.deliveries, "oldest_parked", nothing_yet)
        for _ in range(3):
            await simulation.process_parked(endpoint)

    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def test_a_process_that_found_nothing_parked_leaves_a_later_mark(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await parked(simulation)
    key = endpoint.parked_key

    async def another(_endpoint: Endpoint, _limit: int) -> list[IndexedDelivery]:
        mark = await simulation.database.get(DELIVERIES, key)
        assert await simulation.database.delete_if(DELIVERIES, key, expected={"rev": mark["rev"]})
        await simulation.repository.deliveries.mark_parked(endpoint, Micros(simulation.now + SECOND))
        return []

    with monkeypatch.context() as slow:
        slow.setattr(simulation.repository.deliveries, "oldest_parked", nothing_yet)
        await simulation.process_parked(endpoint)
        simulation.now += 120 * SECOND
        slow.setattr(simulation.repository.deliveries, "oldest_parked", another)
        await simulation.process_parked(endpoint)

    await simulation.run(days=5 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)


async def parked(simulation: Simulation) -> Endpoint:
    """A webhook with a delivery that was parked just now and can go on."""
    endpoint = await simulation.webhook(open_until=simulation.now + 1)
    await simulation.publish()
    await simulation.run()
    assert await simulation.states(endpoint) == {State.PARKED: 1}
    assert await simulation.database.update_if(WEBHOOKS, endpoint.key, remove=("open_until",))
    return endpoint


async def nothing_yet(_endpoint: Endpoint, _limit: int) -> list[IndexedDelivery]:
    """What an index shows that lags."""
    return []


async def test_a_webhook_is_disabled_after_five_days_of_failure_and_an_event_published(simulation: Simulation) -> None:
    endpoint = await tripped(simulation)
    other = await simulation.webhook(events=["webhook.disabled"])

    await simulation.run(days=4.9)
    assert (await simulation.webhook_item(endpoint))["active"]
    await simulation.publish(count=1)
    await simulation.run(days=0.2)

    webhook = await simulation.webhook_item(endpoint)
    assert (webhook["active"], webhook["disabled_reason"]) == (False, "failing")
    [event] = await _disabled_events(simulation)
    assert endpoint.webhook in event["body"]
    simulation.published.clear()
    await simulation.publish_existing(event)
    await simulation.run()
    assert len(simulation.endpoints.taken(other.webhook)) == 1
    assert simulation.endpoints.got[-1][0] == other.webhook


async def test_a_disabled_webhook_recovers_by_one_call(simulation: Simulation) -> None:
    endpoint = await tripped(simulation, count=10)
    await simulation.run(days=5)
    await simulation.publish(count=3)
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


async def test_webhook_is_disabled_on_410(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(410)

    await simulation.publish()
    await simulation.run(days=1)

    assert len(simulation.endpoints.got) == 1
    webhook = await simulation.webhook_item(endpoint)
    assert (webhook["active"], webhook["disabled_reason"]) == (False, "gone")
    assert await simulation.states(endpoint) == {State.FAILED: 1}


async def test_410_of_an_address_that_was_left_meanwhile_disables_nothing(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    seen = await simulation.webhook_record(endpoint)
    moved = {"url": "https://example.org/"}
    assert await simulation.database.update_if(WEBHOOKS, endpoint.key, set=moved)

    await CircuitBreaker(simulation.repository).disable(seen, DisabledReason.GONE, Micros(simulation.now))

    webhook = await simulation.webhook_item(endpoint)
    assert webhook["active"]
    assert "disabled_reason" not in webhook
    assert await _disabled_events(simulation) == []


async def test_an_owner_who_saw_it_active_does_not_undo_half_of_the_disabling(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    seen = await simulation.webhook_record(endpoint)
    await CircuitBreaker(simulation.repository).disable(seen, DisabledReason.GONE, Micros(simulation.now))

    with pytest.raises(RevisionChanged):
        await simulation.aside.webhooks.change(
            seen, replace(seen, active=True, description="CRM"), audit=audit_of(seen)
        )

    webhook = await simulation.webhook_item(endpoint)
    assert (webhook["active"], webhook["disabled_reason"]) == (False, "gone")


async def test_a_range_is_replayed_under_new_ids_whatever_its_size(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    await simulation.publish(count=120)
    await simulation.run()
    first = set(simulation.endpoints.taken(endpoint.webhook))
    simulation.now += DAY

    key = await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY)
    await simulation.run(days=5 * MINUTES)

    second = set(simulation.endpoints.taken(endpoint.webhook)) - first
    assert len(first) == len(second) == 120
    replay = await simulation.database.get(DELIVERIES, key)
    assert (replay["state"], replay["seen"], replay["queued"]) == ("done", 120, 120)
    origins = {delivery.get("origin") for delivery in await simulation.deliveries(endpoint)} - {None}
    assert origins == first


async def test_a_replay_keeps_to_what_was_asked_for(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    await simulation.publish(count=3)
    await simulation.run()
    simulation.endpoints.got.clear()
    simulation.now += DAY

    for more in ({"events": ["message.received"]}, {"states": ["failed"]}):
        await start_replay(simulation, endpoint, "replay", since=simulation.now - 2 * DAY, **more)
    await start_replay(simulation, endpoint, "replay", since=simulation.now - DAY // 2)
    await simulation.run(days=5 * MINUTES)

    assert simulation.endpoints.got == []


async def _disabled_events(simulation: Simulation) -> list[Item]:
    events = Database(simulation.plain, simulation.stage).scan(OUTBOX)
    return [item async for item in events if item["type"] == WebhookDisabled.event]
