"""Listing deliveries, looking at one, and sending one again."""

import json
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Exchange
from callmissed.clock import MINUTE, SECOND, Micros, iso
from callmissed.events.outbox import RETENTION
from callmissed.platform.tables import OUTBOX
from functions.webhooks.deliveries.cursors import cursor_after
from functions.webhooks.deliveries.service import Deliveries, DeliveryFilter
from functions.webhooks.delivery.enqueue import SAFETY_DELAY
from functions.webhooks.storage.records import Endpoint
from functions.webhooks.storage.repository import Repository
from tests.support.webhooks.subscribers import NOW, Tenant, WebhooksApi, refused

DAY = 24 * 60 * MINUTE


@pytest.fixture
async def webhook(tenant: Tenant) -> dict[str, Any]:
    return await tenant.webhook()


@pytest.fixture
def endpoint(tenant: Tenant, webhook: dict[str, Any]) -> Endpoint:
    return tenant.endpoint(webhook)


async def listed(tenant: Tenant, webhook: dict[str, Any], **params: Any) -> dict[str, Any]:
    answer = await tenant.call("GET", f"/{webhook['id']}/deliveries", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pages(tenant: Tenant, webhook: dict[str, Any], **params: Any) -> AsyncIterator[list[str]]:
    """Ids on each page to the last."""
    cursor: dict[str, str] = {}
    while True:
        page = await listed(tenant, webhook, **params, **cursor)
        yield [delivery["id"] for delivery in page["data"]]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


async def test_there_is_none_at_first(tenant: Tenant, webhook: dict[str, Any]) -> None:
    assert await listed(tenant, webhook) == {"data": [], "next_cursor": None}


async def test_a_delivery_in_a_list(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    delivered = await webhooks_api.delivery(endpoint, at=NOW)
    waiting = await webhooks_api.delivery(
        endpoint, at=NOW + MINUTE, state="pending", code=503, error="HTTP 503", next=NOW + 2 * MINUTE, origin=delivered
    )

    second, first = (await listed(tenant, webhook))["data"]

    assert first == {
        "id": delivered,
        "webhook_id": webhook["id"],
        "event": "message.received",
        "event_id": (await webhooks_api.row(endpoint, delivered))["event"],
        "status": "delivered",
        "status_code": 200,
        "attempts": 1,
        "success": True,
        "error": None,
        "created_at": iso(NOW),
        "delivered_at": iso(Micros(NOW + SECOND)),
        "next_attempt_at": None,
        "replay_of": None,
    }
    assert (second["id"], second["status"], second["success"], second["error"]) == (
        waiting,
        "pending",
        False,
        "HTTP 503",
    )
    assert (second["delivered_at"], second["next_attempt_at"]) == (None, iso(Micros(NOW + 2 * MINUTE)))
    assert second["replay_of"] == delivered


async def test_pages_go_through_all_of_them_newest_first(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    ids = [await webhooks_api.delivery(endpoint, at=NOW + minutes * MINUTE) for minutes in range(7)]
    await webhooks_api.attempt(endpoint, ids[0], 1)

    found = [page async for page in pages(tenant, webhook, limit=3)]

    assert [len(page) for page in found] == [3, 3, 1]
    assert list(chain.from_iterable(found)) == ids[::-1]


@pytest.mark.parametrize("chunk", [1, 2, 3, 200])
@pytest.mark.parametrize("filters", [{}, {"status": "delivered"}, {"event": "message.*"}])
async def test_a_full_page_that_is_the_last_has_no_next_cursor(
    webhooks_api: WebhooksApi,
    tenant: Tenant,
    webhook: dict[str, Any],
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict[str, str],
    chunk: int,
) -> None:
    monkeypatch.setattr("functions.webhooks.deliveries.service._CHUNK", chunk)
    ids = [await webhooks_api.delivery(endpoint, at=NOW + minutes * MINUTE) for minutes in range(4)]

    found = [page async for page in pages(tenant, webhook, limit=2, **filters)]

    assert found == [ids[:1:-1], ids[1::-1]]


async def test_deliveries_of_one_moment_are_all_there(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    ids = {await webhooks_api.delivery(endpoint, at=NOW) for _ in range(9)}

    found = [id async for page in pages(tenant, webhook, limit=1) for id in page]

    assert len(found) == len(ids)
    assert set(found) == ids


async def test_filters(webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint) -> None:
    received = await webhooks_api.delivery(endpoint, "message.received", at=NOW)
    sent = await webhooks_api.delivery(endpoint, "message.sent", at=NOW + MINUTE, state="failed")
    low = await webhooks_api.delivery(endpoint, "credits.low", at=NOW + 2 * MINUTE, state="failed")

    async def ids(**params: Any) -> list[str]:
        return [delivery["id"] for delivery in (await listed(tenant, webhook, **params))["data"]]

    assert await ids(event="message.*") == [sent, received]
    assert await ids(event="message.sent") == [sent]
    assert await ids(event="*") == [low, sent, received]
    assert await ids(status="failed") == [low, sent]
    assert await ids(status="failed", event="message.*") == [sent]
    assert await ids(since=iso(Micros(NOW + MINUTE))) == [low, sent]
    assert await ids(until=iso(Micros(NOW + MINUTE))) == [received]
    assert await ids(since=iso(Micros(NOW + MINUTE)), until=iso(Micros(NOW + 2 * MINUTE)), status="failed") == [sent]
    assert await ids(since=iso(Micros(NOW + MINUTE)), until=iso(NOW)) == []
    assert await ids(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z") == [low, sent, received]
    assert await ids(since="0001-01-01T00:00:00+14:00", until="9999-12-31T23:59:59-14:00") == [low, sent, received]


@pytest.mark.parametrize("chunk", [1, 3, 200])
@pytest.mark.parametrize("limit", [2, 4, 8])
async def test_filters_hold_across_pages(
    webhooks_api: WebhooksApi,
    tenant: Tenant,
    webhook: dict[str, Any],
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    limit: int,
) -> None:
    monkeypatch.setattr("functions.webhooks.deliveries.service._CHUNK", chunk)
    ids = [
        await webhooks_api.delivery(endpoint, at=NOW + minutes * MINUTE, state="failed" if minutes % 3 else "delivered")
        for minutes in range(12)
    ]

    found = [id async for page in pages(tenant, webhook, limit=limit, status="failed") for id in page]

    assert found == [id for number, id in enumerate(ids) if number % 3][::-1]


async def test_a_page_reads_a_bounded_number_of_deliveries(
    webhooks_api: WebhooksApi, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.webhooks.deliveries.service.MAX_READ", 20)
    monkeypatch.setattr("functions.webhooks.deliveries.service._CHUNK", 10)
    rare = await webhooks_api.delivery(endpoint, at=NOW, state="failed")
    for minutes in range(1, 46):
        await webhooks_api.delivery(endpoint, at=NOW + minutes * MINUTE)
    queries: list[Exchange] = []
    dynamodb = DynamoDB("us-east-1", webhooks_api.store.endpoint, timeout_seconds=30.0, observe=queries.append)
    deliveries = Deliveries(Repository(Database(dynamodb, webhooks_api.store.stage)), webhooks_api.queue)

    found: list[list[str]] = []
    cursor = None
    while not found or cursor:
        queries.clear()
        page = await deliveries.page(endpoint, DeliveryFilter(status="failed"), 5, cursor)
        found.append([delivery.id for delivery in page.deliveries])
        cursor = page.cursor
        assert len(queries) <= 2
    await dynamodb.close()

    assert found == [[], [], [rare]]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 201},
        {"status": "unknown"},
        {"event": "unknown.*"},
        {"since": "yesterday"},
        {"since": "2026-11-25T09:30:00"},
        {"since": "1795599000"},
        {"until": "0.5"},
        {"until": "2026-13-25T09:30:00Z"},
        {"cursor": ""},
        {"cursor": "AAAA"},
        {"cursor": "ä"},
        {"cursor": "dlv_01KAWXYZ00ABCDEFGHJKMN"},
        {"cursor": cursor_after("PARKED")},
        {"cursor": cursor_after("dlv_01KAWXYZ00ABCDEFGHJKMN#01")},
        {"cursor": cursor_after("dlv_01KAWXYZ00ABCDEFGHJKM\n")},
    ],
)
async def test_a_question_that_cannot_be(tenant: Tenant, webhook: dict[str, Any], params: dict[str, Any]) -> None:
    answer = await tenant.call("GET", f"/{webhook['id']}/deliveries", params=params)

    (problem,) = refused(answer, 422, "invalid_request_error")["details"]
    assert problem["loc"] == ["query", *params]


async def test_a_cursor_of_another_webhook_stays_in_this_one(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    own = await webhooks_api.delivery(endpoint, at=NOW)
    stranger = webhooks_api.tenant()
    foreign = await stranger.webhook()
    for minutes in range(-1, 2):
        await webhooks_api.delivery(stranger.endpoint(foreign), at=NOW + minutes * MINUTE)
    cursor = (await listed(stranger, foreign, limit=1))["next_cursor"]

    page = await listed(tenant, webhook, cursor=cursor)

    assert [delivery["id"] for delivery in page["data"]] == [own]


async def test_one_delivery_with_its_attempts_and_payload(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    id = await webhooks_api.delivery(endpoint, n=2)
    await webhooks_api.attempt(endpoint, id, 1, latency_ms=10_000, error="The endpoint did not answer in time.")
    await webhooks_api.attempt(endpoint, id, 2, status=200, latency_ms=31, answer="ok", truncated=True)
    event = await webhooks_api.item(OUTBOX, {"id": (await webhooks_api.row(endpoint, id))["event"]})

    answer = (await tenant.call("GET", f"/{webhook['id']}/deliveries/{id}")).json()

    assert answer.pop("payload") == json.loads(event["body"])
    assert answer.pop("attempts") == [
        {
            "number": 1,
            "at": iso(Micros(NOW + MINUTE)),
            "status_code": None,
            "latency_ms": 10_000,
            "error": "The endpoint did not answer in time.",
            "response_body": None,
            "truncated": False,
        },
        {
            "number": 2,
            "at": iso(Micros(NOW + 2 * MINUTE)),
            "status_code": 200,
            "latency_ms": 31,
            "error": None,
            "response_body": "ok",
            "truncated": True,
        },
    ]
    (row,) = (await listed(tenant, webhook))["data"]
    assert row.pop("attempts") == 2
    assert answer == row


async def test_the_payload_ends_with_the_event(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    id = await webhooks_api.delivery(endpoint, at=NOW)
    webhooks_api.clock.now = NOW + RETENTION

    answer = await tenant.call("GET", f"/{webhook['id']}/deliveries/{id}")

    assert (answer.status_code, answer.json()["payload"]) == (200, None)
    refused(await tenant.call("POST", f"/{webhook['id']}/deliveries/{id}/replay"), 410, "event_expired")
    assert webhooks_api.queue.bodies() == []


async def test_a_replay_is_a_new_delivery(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    id = await webhooks_api.delivery(endpoint, state="failed", n=10)
    event_id = (await webhooks_api.row(endpoint, id))["event"]
    webhooks_api.clock.now = NOW + DAY

    answer = await tenant.call("POST", f"/{webhook['id']}/deliveries/{id}/replay")

    assert answer.status_code == 202
    again = answer.json()["delivery_id"]
    assert answer.json() == {"delivery_id": again, "status": "queued"}
    assert again != id
    row = await webhooks_api.row(endpoint, again)
    assert (row["event"], row["origin"], row["state"], row["n"]) == (event_id, id, "pending", 0)
    assert row["due"] == f"{NOW + DAY + SAFETY_DELAY:020}"
    assert webhooks_api.queue.bodies() == [
        {"do": "attempt", "t": tenant.id, "w": webhook["id"], "d": again, "e": event_id, "n": 0}
    ]
    assert (await tenant.call("GET", f"/{webhook['id']}/deliveries/{again}")).json()["replay_of"] == id


async def test_a_repeated_replay_replays_once(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    path = f"/{webhook['id']}/deliveries/{await webhooks_api.delivery(endpoint)}/replay"

    first = await tenant.call("POST", path, operation="op_1")
    again = await tenant.call("POST", path, operation="op_1")
    other = await tenant.call("POST", path)

    assert first.json() == again.json() != other.json()
    assert len((await listed(tenant, webhook))["data"]) == 3
    assert len(webhooks_api.queue.bodies()) == 2


async def test_a_replay_that_cannot_be_queued_is_left_to_the_scheduler(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    id = await webhooks_api.delivery(endpoint)
    webhooks_api.queue.down = True

    answer = await tenant.call("POST", f"/{webhook['id']}/deliveries/{id}/replay")

    assert answer.status_code == 202
    assert (await webhooks_api.row(endpoint, answer.json()["delivery_id"]))["due"] == f"{NOW + SAFETY_DELAY:020}"


async def test_nothing_is_replayed_to_a_webhook_that_is_not_active(
    webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], endpoint: Endpoint
) -> None:
    path = f"/{webhook['id']}/deliveries/{await webhooks_api.delivery(endpoint)}/replay"

    await tenant.call("PUT", f"/{webhook['id']}", json={"is_active": False})
    refused(await tenant.call("POST", path), 400, "webhook_inactive")
    await tenant.call("PUT", f"/{webhook['id']}", json={"is_active": True})
    await webhooks_api.fail(endpoint, disabled_reason="gone")
    refused(await tenant.call("POST", path), 400, "webhook_inactive")

    assert [job["do"] for job in webhooks_api.queue.bodies()] == ["parked"]


@pytest.mark.parametrize("id", ["dlv_01KAWXYZ00ABCDEFGHJKMN", "PARKED", "a" * 2000, "%23"])
async def test_a_delivery_that_is_not_there(tenant: Tenant, webhook: dict[str, Any], id: str) -> None:
    path = f"/{webhook['id']}/deliveries/{id}"

    refused(await tenant.call("GET", path), 404, "not_found")
    refused(await tenant.call("POST", f"{path}/replay"), 404, "not_found")
