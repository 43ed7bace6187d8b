"""Creating, reading, changing and deleting webhooks, on real tables."""

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest

from callmissed.clock import MINUTE, Micros, iso
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.storage.records import COUNT, Endpoint, Webhook
from functions.webhooks.storage.webhooks import WebhookRepository
from functions.webhooks.subscriptions.service import MAX_WEBHOOKS
from tests.support.webhooks.subscribers import FORBIDDEN, HEADER, NEW, NOW, URL, Tenant, WebhooksApi, refused

FIELDS = {
    "id",
    "tenant_id",
    "url",
    "secret",
    "events",
    "description",
    "headers",
    "is_active",
    "status",
    "disabled_reason",
    "failing_since",
    "bot_id",
    "created_at",
    "updated_at",
}


async def test_a_new_webhook_shows_its_secret_once(tenant: Tenant) -> None:
    created = await tenant.webhook(description="CRM")

    assert set(created) == FIELDS
    prefix, _, encoded = created["secret"].partition("_")
    assert prefix == "whsec"
    assert len(base64.b64decode(encoded, validate=True)) == 32
    assert created | {"secret": "", "id": ""} == {
        "id": "",
        "tenant_id": tenant.id,
        "url": URL,
        "secret": "",
        "events": NEW["events"],
        "description": "CRM",
        "headers": {"Authorization": "****"},
        "is_active": True,
        "status": "active",
        "disabled_reason": None,
        "failing_since": None,
        "bot_id": None,
        "created_at": iso(NOW),
        "updated_at": iso(NOW),
    }
    masked = f"{created['secret'][:4]}****{created['secret'][-4:]}"
    assert (await tenant.call("GET", f"/{created['id']}")).json() == created | {"secret": masked}


async def test_webhooks_are_listed_oldest_first(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    assert (await tenant.call("GET")).json() == []
    ids: list[str] = []
    for minutes in range(5):
        webhooks_api.clock.now = NOW + minutes * MINUTE
        ids.append((await tenant.webhook())["id"])

    assert [webhook["id"] for webhook in (await tenant.call("GET")).json()] == ids


async def test_secrets_are_stored_sealed(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    created = await tenant.webhook()

    item = await webhooks_api.webhook(tenant.endpoint(created))
    assert created["secret"] not in str(item)
    assert HEADER not in str(item)
    ((sealed, until),) = item["secrets"]
    assert (webhooks_api.sealer.unseal(sealed), until) == (created["secret"], None)
    assert webhooks_api.sealer.unseal(item["headers"]["Authorization"]) == HEADER


@pytest.mark.parametrize(
    ("events", "stored"),
    [
        (["*"], ["*"]),
        (["message.sent", "*"], ["*"]),
        (["message.sent", "message.sent", "credits.low"], ["message.sent", "credits.low"]),
    ],
)
async def test_event_filters_are_simplified(tenant: Tenant, events: list[str], stored: list[str]) -> None:
    assert (await tenant.webhook(events=events))["events"] == stored


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"url": ""}, ["body", "url"]),
        ({"url": "https://example.com/" + "a" * 2048}, ["body", "url"]),
        ({"url": None}, ["body", "url"]),
        ({"events": []}, ["body", "events"]),
        ({"events": ["message.sent"] * 51}, ["body", "events"]),
        ({"events": ["message.sent", "message.unknown"]}, ["body", "events", 1]),
        ({"events": ["nothing.*"]}, ["body", "events", 0]),
        ({"events": ["message*"]}, ["body", "events", 0]),
        ({"description": "a" * 256}, ["body", "description"]),
        ({"headers": {f"X-{number}": "a" for number in range(11)}}, ["body", "headers"]),
        ({"headers": {"Host": "example.com"}}, ["body", "headers", "Host", "[key]"]),
        ({"headers": {"X-CallMissed-Event": "a"}}, ["body", "headers", "X-CallMissed-Event", "[key]"]),
        ({"headers": {"x-callmissed-signature": "a"}}, ["body", "headers", "x-callmissed-signature", "[key]"]),
        ({"headers": {"X-A b": "a"}}, ["body", "headers", "X-A b", "[key]"]),
        ({"headers": {"X-A": "a\r\nHost: b"}}, ["body", "headers", "X-A"]),
        ({"headers": {"X-A": "ä"}}, ["body", "headers", "X-A"]),
        ({"headers": {"X-A": ""}}, ["body", "headers", "X-A"]),
        ({"headers": {"X-A": "a" * 513}}, ["body", "headers", "X-A"]),
        ({"headers": {"X-A": "a", "x-a": "b"}}, ["body", "headers"]),
        ({"headers": {"X-A": "****"}}, ["body", "headers"]),
        ({"bot_id": "one"}, ["body", "bot_id"]),
    ],
)
async def test_what_a_webhook_cannot_be(tenant: Tenant, fields: dict[str, Any], loc: list[str | int]) -> None:
    for method, path in (("POST", ""), ("PUT", f"/{(await tenant.webhook(headers={}))['id']}")):
        if method == "PUT" and fields in ({"events": []}, {"url": None}):
            continue  # all events, and no change
        error = refused(await tenant.call(method, path, json={**NEW, **fields}), 422, "invalid_request_error")
        assert [problem["loc"] for problem in error["details"]] == [loc]


async def test_a_url_is_checked_whenever_it_is_given(tenant: Tenant) -> None:
    created = await tenant.webhook()

    refused(await tenant.call("POST", json={**NEW, "url": FORBIDDEN}), 400, "url_rejected")
    refused(await tenant.call("PUT", f"/{created['id']}", json={"url": FORBIDDEN}), 400, "url_rejected")
    assert [webhook["url"] for webhook in (await tenant.call("GET")).json()] == [URL]


async def test_a_change_changes_what_it_names(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    created = await tenant.webhook()
    webhooks_api.clock.now = NOW + MINUTE

    changed = await tenant.call(
        "PUT", f"/{created['id']}", json={"url": f"{URL}/2", "events": [], "description": "two"}
    )

    now = {"url": f"{URL}/2", "events": ["*"], "description": "two", "updated_at": iso(Micros(NOW + MINUTE))}
    masked = f"{created['secret'][:4]}****{created['secret'][-4:]}"
    assert changed.json() == created | now | {"secret": masked}
    assert (await tenant.call("GET", f"/{created['id']}")).json() == changed.json()


async def test_a_masked_header_keeps_its_value(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    created = await tenant.webhook()
    path = f"/{created['id']}"

    changed = await tenant.call("PUT", path, json={"headers": {"authorization": "****", "X-Room": "12"}})

    assert changed.json()["headers"] == {"authorization": "****", "X-Room": "****"}
    headers = (await webhooks_api.webhook(tenant.endpoint(created)))["headers"]
    assert {name: webhooks_api.sealer.unseal(value) for name, value in headers.items()} == {
        "authorization": HEADER,
        "X-Room": "12",
    }
    assert (await tenant.call("PUT", path, json={"headers": {}})).json()["headers"] == {}


async def test_changes_at_the_same_time_all_last(tenant: Tenant) -> None:
    created = await tenant.webhook(headers={})
    changes = [{"url": f"{URL}/2"}, {"events": ["credits.low"]}, {"description": "two"}, {"is_active": False}]

    answers = await asyncio.gather(*(tenant.call("PUT", f"/{created['id']}", json=change) for change in changes))

    assert [answer.status_code for answer in answers] == [200] * 4
    webhook = (await tenant.call("GET", f"/{created['id']}")).json()
    assert (webhook["url"], webhook["events"], webhook["description"], webhook["status"]) == (
        f"{URL}/2",
        ["credits.low"],
        "two",
        "paused",
    )


async def test_a_change_that_always_comes_second_is_refused(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    created = await tenant.webhook()

    get = WebhookRepository.get

    async def outdated(webhooks: WebhookRepository, endpoint: Endpoint) -> Webhook | None:
        found = await get(webhooks, endpoint)
        return found and replace(found, revision=0)

    monkeypatch.setattr(WebhookRepository, "get", outdated)
    for method, path, body in (
        ("PUT", "", {"description": "two"}),
        ("POST", "/rotate", {}),
        ("POST", "/recover", {}),
    ):
        refused(await tenant.call(method, f"/{created['id']}{path}", json=body), 409, "conflict")


async def test_pausing_sends_nothing_and_resuming_looks_for_parked_deliveries(
    webhooks_api: WebhooksApi, tenant: Tenant
) -> None:
    created = await tenant.webhook()
    endpoint, path = tenant.endpoint(created), f"/{created['id']}"

    paused = (await tenant.call("PUT", path, json={"is_active": False})).json()
    assert (paused["is_active"], paused["status"]) == (False, "paused")
    assert webhooks_api.queue.bodies() == []
    assert await parked(webhooks_api, endpoint) == {}

    resumed = (await tenant.call("PUT", path, json={"is_active": True})).json()
    assert (resumed["is_active"], resumed["status"]) == (True, "active")
    assert webhooks_api.queue.bodies() == [{"do": "parked", "t": tenant.id, "w": created["id"]}]
    assert (await parked(webhooks_api, endpoint))["due"] == f"{NOW:020}"


async def test_activating_what_is_active_changes_nothing_of_its_health(
    webhooks_api: WebhooksApi, tenant: Tenant
) -> None:
    created = await tenant.webhook()
    endpoint = tenant.endpoint(created)
    await webhooks_api.fail(endpoint, consecutive_failures=3, first_failure_at=NOW - MINUTE)

    webhook = (await tenant.call("PUT", f"/{created['id']}", json={"is_active": True})).json()

    assert webhook["failing_since"] == iso(Micros(NOW - MINUTE))
    assert (await webhooks_api.webhook(endpoint))["consecutive_failures"] == 3
    assert webhooks_api.queue.bodies() == []


async def test_another_url_has_not_failed_yet(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    created = await tenant.webhook()
    endpoint, path = tenant.endpoint(created), f"/{created['id']}"
    failing = {"consecutive_failures": 9, "first_failure_at": NOW - 4 * 24 * 60 * MINUTE, "open_until": NOW + MINUTE}
    await webhooks_api.fail(endpoint, **failing)

    same = (await tenant.call("PUT", path, json={"url": created["url"]})).json()
    assert same["failing_since"] is not None
    assert webhooks_api.queue.bodies() == []

    moved = (await tenant.call("PUT", path, json={"url": f"{URL}/2"})).json()
    assert moved["failing_since"] is None
    assert not failing.keys() & (await webhooks_api.webhook(endpoint)).keys()
    assert webhooks_api.queue.bodies() == [{"do": "parked", "t": tenant.id, "w": created["id"]}]


@pytest.mark.parametrize(
    ("off", "status"), [({}, "paused"), ({"disabled_reason": "gone", "disabled_at": NOW}, "disabled")]
)
async def test_another_url_alone_activates_nothing(
    webhooks_api: WebhooksApi, tenant: Tenant, off: dict[str, Any], status: str
) -> None:
    created = await tenant.webhook()
    await webhooks_api.fail(tenant.endpoint(created), active=False, **off)

    moved = (await tenant.call("PUT", f"/{created['id']}", json={"url": f"{URL}/2"})).json()

    assert (moved["status"], moved["is_active"]) == (status, False)
    assert webhooks_api.queue.bodies() == []


async def test_activating_forgets_why_it_was_disabled(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    created = await tenant.webhook()
    endpoint, path = tenant.endpoint(created), f"/{created['id']}"
    await webhooks_api.fail(
        endpoint,
        consecutive_failures=9,
        first_failure_at=NOW - MINUTE,
        open_until=NOW + MINUTE,
        disabled_reason="failing",
        disabled_at=NOW,
    )
    await webhooks_api.put(DELIVERIES, {**endpoint.parked_key, "rev": 7})

    disabled = (await tenant.call("GET", path)).json()
    assert (disabled["status"], disabled["is_active"], disabled["disabled_reason"]) == ("disabled", False, "failing")
    assert disabled["failing_since"] == iso(Micros(NOW - MINUTE))

    enabled = (await tenant.call("PUT", path, json={"is_active": True})).json()
    assert (enabled["status"], enabled["disabled_reason"], enabled["failing_since"]) == ("active", None, None)
    assert not {"consecutive_failures", "first_failure_at", "open_until", "disabled_reason", "disabled_at"} & set(
        await webhooks_api.webhook(endpoint)
    )
    assert (await parked(webhooks_api, endpoint))["rev"] == 8
    assert webhooks_api.queue.bodies() == [{"do": "parked", "t": tenant.id, "w": created["id"]}]


async def test_a_lost_message_is_left_to_the_scheduler(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    created = await tenant.webhook(is_active=False)
    webhooks_api.queue.down = True

    assert (await tenant.call("PUT", f"/{created['id']}", json={"is_active": True})).status_code == 200

    assert (await parked(webhooks_api, tenant.endpoint(created)))["due"] == f"{NOW:020}"


async def test_a_deleted_webhook_is_gone(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    kept, gone = await tenant.webhook(), await tenant.webhook()

    deleted = await tenant.call("DELETE", f"/{gone['id']}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    for method in ("GET", "DELETE"):
        refused(await tenant.call(method, f"/{gone['id']}"), 404, "not_found")
    refused(await tenant.call("PUT", f"/{gone['id']}", json={}), 404, "not_found")
    assert [webhook["id"] for webhook in (await tenant.call("GET")).json()] == [kept["id"]]
    assert (await webhooks_api.webhook(Endpoint(tenant.id, COUNT)))["n"] == 1


async def test_creations_at_the_same_time_stop_at_the_limit(webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    await asyncio.gather(*(tenant.webhook() for _ in range(MAX_WEBHOOKS - 3)))

    answers = await asyncio.gather(*(tenant.call("POST", json=NEW) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    for answer in answers:
        assert answer.status_code == 201 or refused(answer, 409, "webhook_limit_reached")
    webhooks = (await tenant.call("GET")).json()
    assert len(webhooks) == MAX_WEBHOOKS
    await tenant.call("DELETE", f"/{webhooks[0]['id']}")
    assert (await tenant.call("POST", json=NEW)).status_code == 201
    refused(await tenant.call("POST", json=NEW), 409, "webhook_limit_reached")
    assert (await webhooks_api.tenant().call("POST", json=NEW)).status_code == 201


async def test_a_repeated_creation_creates_once(tenant: Tenant) -> None:
    first = await tenant.call("POST", json=NEW, operation="op_1")
    again = await tenant.call("POST", json=NEW, operation="op_1")
    other = await tenant.call("POST", json=NEW, operation="op_2")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert other.json()["id"] != first.json()["id"]
    assert len((await tenant.call("GET")).json()) == 2


async def test_a_repeated_creation_at_the_limit_still_answers(tenant: Tenant) -> None:
    first = await tenant.call("POST", json=NEW, operation="op_1")
    await asyncio.gather(*(tenant.webhook() for _ in range(MAX_WEBHOOKS - 1)))

    assert (await tenant.call("POST", json=NEW, operation="op_1")).json() == first.json()
    refused(await tenant.call("POST", json=NEW, operation="op_2"), 409, "webhook_limit_reached")


async def parked(webhooks_api: WebhooksApi, endpoint: Endpoint) -> dict[str, Any]:
    return await webhooks_api.item(DELIVERIES, endpoint.parked_key)
