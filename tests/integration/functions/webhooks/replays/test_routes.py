"""Beginning recoveries and replays, and looking at them."""

import asyncio
from typing import Any

import pytest

from callmissed.clock import MINUTE, SECOND, Micros, iso
from callmissed.events.outbox import RETENTION
from callmissed.ids import sortable_prefix
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.enqueue import SAFETY_DELAY
from functions.webhooks.storage.records import REPLAY_PREFIX, Endpoint
from tests.support.webhooks.subscribers import NOW, Tenant, WebhooksApi, refused

DAY = 24 * 60 * MINUTE


@pytest.fixture
async def webhook(tenant: Tenant) -> dict[str, Any]:
    return await tenant.webhook()


@pytest.fixture
def endpoint(tenant: Tenant, webhook: dict[str, Any]) -> Endpoint:
    return tenant.endpoint(webhook)


async def begun(webhooks_api: WebhooksApi, endpoint: Endpoint, id: str) -> dict[str, Any]:
    """The item that the sender goes by."""
    return await webhooks_api.item(DELIVERIES, {"webhook": endpoint.partition, "item": REPLAY_PREFIX + id})


async def test_recovery_activates_drains_and_requeues(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    await webhooks_api.fail(
        endpoint,
        consecutive_failures=9,
        first_failure_at=NOW - DAY,
        open_until=NOW + MINUTE,
        disabled_reason="failing",
        disabled_at=NOW,
        active=False,
    )

    answer = await tenant.call("POST", f"/{webhook['id']}/recover", json={"since": iso(Micros(NOW - 3 * DAY))})

    assert answer.status_code == 202
    id = answer.json()["id"]
    assert answer.json() == {
        "id": id,
        "kind": "recover",
        "status": "running",
        "since": iso(Micros(NOW - 3 * DAY)),
        "until": iso(NOW),
        "scanned": 0,
        "queued": 0,
    }
    item = await webhooks_api.webhook(endpoint)
    assert item["active"]
    assert not {"consecutive_failures", "first_failure_at", "open_until", "disabled_reason", "disabled_at"} & set(item)
    assert (await webhooks_api.item(DELIVERIES, endpoint.parked_key))["due"] == f"{NOW:020}"
    where = {"t": tenant.id, "w": webhook["id"]}
    assert webhooks_api.queue.bodies() == [{"do": "parked", **where}, {"do": "replay", **where, "r": id}]


async def test_what_the_sender_finds_of_a_recovery(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    id = (await tenant.call("POST", f"/{webhook['id']}/recover")).json()["id"]

    item = await begun(webhooks_api, endpoint, id)

    assert item.pop("shard") in set("01234567")
    assert item == {
        "webhook": endpoint.partition,
        "item": REPLAY_PREFIX + id,
        "kind": "recover",
        "created": NOW,
        "since": NOW - DAY,
        "until": NOW,
        "events": ["*"],
        "states": ["failed"],
        "cursor": f"D#dlv_{sortable_prefix(Micros(NOW - DAY))}",
        "seen": 0,
        "queued": 0,
        "state": "running",
        "due": f"{NOW + SAFETY_DELAY:020}",
        "ttl": (NOW + RETENTION) // SECOND,
    }


async def test_a_replay_names_time_range_types_and_status(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    body = {
        "since": iso(Micros(NOW - 2 * DAY)),
        "until": iso(Micros(NOW - DAY)),
        "events": ["message.*"],
        "status": "delivered",
    }

    answer = await tenant.call("POST", f"/{webhook['id']}/replays", json=body)

    assert answer.status_code == 202
    id = answer.json()["id"]
    item = await begun(webhooks_api, endpoint, id)
    assert (item["kind"], item["events"], item["states"]) == ("replay", ["message.*"], ["delivered"])
    assert (item["since"], item["until"]) == (NOW - 2 * DAY, NOW - DAY)
    assert webhooks_api.queue.bodies() == [{"do": "replay", "t": tenant.id, "w": webhook["id"], "r": id}]


async def test_a_replay_takes_everything_up_to_now_by_default(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    for body in (
        {"since": iso(Micros(NOW - RETENTION))},
        {"since": iso(Micros(NOW - RETENTION)), "until": iso(Micros(NOW + DAY))},
    ):
        id = (await tenant.call("POST", f"/{webhook['id']}/replays", json=body)).json()["id"]

        item = await begun(webhooks_api, endpoint, id)
        assert (item["since"], item["until"], item["events"]) == (NOW - RETENTION, NOW, ["*"])
        assert item["states"] == ["pending", "parked", "delivered", "failed"]


async def test_progress_is_shown(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    id = (await tenant.call("POST", f"/{webhook['id']}/recover")).json()["id"]
    await webhooks_api.put(
        DELIVERIES, await begun(webhooks_api, endpoint, id) | {"seen": 40, "queued": 7, "state": "done"}
    )

    answer = (await tenant.call("GET", f"/{webhook['id']}/replays/{id}")).json()

    assert (answer["scanned"], answer["queued"], answer["status"]) == (40, 7, "done")


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("recover", {"since": iso(Micros(NOW - RETENTION - SECOND))}, "since"),
        ("recover", {"since": iso(NOW)}, "since"),
        ("recover", {"since": "2026-11-25T09:30:00"}, "since"),
        ("recover", {"since": NOW // SECOND - 60}, "since"),
        ("recover", {"until": iso(NOW)}, "until"),
        ("replays", {}, "since"),
        ("replays", {"since": iso(Micros(NOW - RETENTION - SECOND))}, "since"),
        ("replays", {"since": iso(Micros(NOW - DAY)), "until": iso(Micros(NOW - DAY))}, "until"),
        ("replays", {"since": iso(Micros(NOW + DAY)), "until": iso(Micros(NOW + 2 * DAY))}, "until"),
        ("replays", {"since": iso(Micros(NOW - DAY)), "status": "unknown"}, "status"),
        ("replays", {"since": iso(Micros(NOW - DAY)), "events": ["unknown"]}, "events"),
    ],
)
async def test_an_invalid_time_range_is_refused(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], path: str, body: dict[str, Any], name: str
) -> None:
    answer = await tenant.call("POST", f"/{webhook['id']}/{path}", json=body)

    (problem,) = refused(answer, 422, "invalid_request_error")["details"]
    assert problem["loc"][:2] == ["body", name]
    assert webhooks_api.queue.bodies() == []


async def test_nothing_is_replayed_to_a_webhook_that_is_not_active(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    paused = await tenant.webhook(is_active=False)

    answer = await tenant.call("POST", f"/{paused['id']}/replays", json={"since": iso(Micros(NOW - DAY))})

    refused(answer, 400, "webhook_inactive")
    assert webhooks_api.queue.bodies() == []


@pytest.mark.parametrize(("path", "body"), [("recover", {}), ("replays", {"since": iso(Micros(NOW - DAY))})])
async def test_what_is_repeated_begins_once(
    webhooks_api: WebhooksApi,
    tenant: Tenant,
    webhook: dict[str, Any],
    endpoint: Endpoint,
    path: str,
    body: dict[str, Any],
) -> None:
    first = await tenant.call("POST", f"/{webhook['id']}/{path}", operation="op_1", json=body)
    await webhooks_api.put(DELIVERIES, await begun(webhooks_api, endpoint, first.json()["id"]) | {"seen": 5})
    webhooks_api.clock.now += MINUTE
    again = await tenant.call("POST", f"/{webhook['id']}/{path}", operation="op_1", json=body)
    other = await tenant.call("POST", f"/{webhook['id']}/{path}", operation="op_2", json=body)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json() | {"scanned": 5}
    assert other.json()["id"] != first.json()["id"]
    assert sum(job["do"] == "replay" for job in webhooks_api.queue.bodies()) == 2


async def test_a_recovery_beside_changes_loses_none(tenant: Tenant, webhook: dict[str, Any]) -> None:
    path = f"/{webhook['id']}"
    await tenant.call("PUT", path, json={"is_active": False})

    answers = await asyncio.gather(
        tenant.call("POST", f"{path}/recover"), tenant.call("PUT", path, json={"description": "two"})
    )

    assert [answer.status_code for answer in answers] == [202, 200]
    changed = (await tenant.call("GET", path)).json()
    assert (changed["description"], changed["status"]) == ("two", "active")


@pytest.mark.parametrize("id", ["rpl_" + "0" * 24, "unknown", "a" * 2000])
async def test_a_replay_that_is_not_there(tenant: Tenant, webhook: dict[str, Any], id: str) -> None:
    refused(await tenant.call("GET", f"/{webhook['id']}/replays/{id}"), 404, "not_found")
