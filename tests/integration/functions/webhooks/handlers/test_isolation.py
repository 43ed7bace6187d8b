"""Nothing of webhooks is visible across tenants, without the authorizer's word, or in what is logged."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from callmissed.platform.functions import WEBHOOKS_API
from callmissed.platform.routes import ROUTES, Auth, Route
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery.attempts import AttemptOutcome
from functions.webhooks.storage.records import COUNT, Webhook
from functions.webhooks.storage.replays import replay_key
from tests.support.webhooks.subscribers import (
    FORBIDDEN,
    HEADER,
    NEW,
    NOW,
    PATH,
    Tenant,
    WebhooksApi,
    refused,
    without_id,
)

SERVED = [route for route in ROUTES if route.function == WEBHOOKS_API.name and route.auth is not Auth.OPERATOR]
OF_ONE = [route for route in SERVED if "{webhook_id}" in route.path]
BELOW_ONE = [route for route in OF_ONE if "{delivery_id}" in route.path or "{replay_id}" in route.path]
OF_ALL = {("GET", PATH), ("POST", PATH), ("GET", f"{PATH}/event-types")}
"""Routes without a webhook in their path; each has a test of its own below."""

BODIES = {"replays": {"since": "2026-11-25T00:00:00Z"}}
UNKNOWN = ["wh_" + "0" * 24, COUNT, "a", "a" * 2000, "wh_%23"]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


class Owner:
    """A tenant with one of everything."""

    def __init__(self, tenant: Tenant, webhook: dict[str, Any], delivery_id: str, replay_id: str) -> None:
        self.tenant = tenant
        self.webhook = webhook
        self.ids = {"webhook_id": webhook["id"], "delivery_id": delivery_id, "replay_id": replay_id}

    def request(self, route: Route, **ids: str) -> dict[str, Any]:
        path = route.path.removeprefix(PATH).format(**(self.ids | ids))
        body = {} if route.method == "GET" else {"json": BODIES.get(path.rpartition("/")[2], {})}
        return {"method": route.method, "path": path, **body}


@pytest.fixture
async def owner(webhooks_api: WebhooksApi) -> Owner:
    tenant = webhooks_api.tenant()
    webhook = await tenant.webhook()
    delivery_id = await webhooks_api.delivery(tenant.endpoint(webhook))
    replay = await tenant.call("POST", f"/{webhook['id']}/recover")
    return Owner(tenant, webhook, delivery_id, replay.json()["id"])


def test_every_route_has_its_check() -> None:
    assert {(route.method, route.path) for route in SERVED if route not in OF_ONE} == OF_ALL
    assert {route.path for route in OF_ONE if route not in BELOW_ONE and route.path.count("{") > 1} == set()


async def test_every_route_is_served(owner: Owner, webhooks_api: WebhooksApi) -> None:
    deletion_last = sorted(SERVED, key=lambda route: route.method == "DELETE")
    for route in deletion_last:
        request = owner.request(route)
        if (route.method, route.path) == ("POST", PATH):
            request["json"] = NEW
        answer = await owner.tenant.call(**request)
        assert answer.status_code in (200, 201, 202, 204), (route, answer.text)


@pytest.mark.parametrize("route", OF_ONE, ids=name_of)
async def test_a_foreign_webhook_reads_like_none(owner: Owner, webhooks_api: WebhooksApi, route: Route) -> None:
    before = await everything_of(webhooks_api, owner)
    webhooks_api.queue.bodies()
    stranger = webhooks_api.tenant()

    answers = [await stranger.call(**owner.request(route))]
    answers += [await owner.tenant.call(**owner.request(route, webhook_id=id)) for id in UNKNOWN]

    assert refused(answers[0], 404, "not_found")["message"] == "No such webhook."
    assert {without_id(answer) for answer in answers} == {without_id(answers[0])}
    assert await everything_of(webhooks_api, owner) == before
    assert webhooks_api.queue.bodies() == []
    assert webhooks_api.endpoints.posted == []


@pytest.mark.parametrize("route", BELOW_ONE, ids=name_of)
async def test_what_is_below_a_foreign_webhook_is_not_below_ones_own(
    owner: Owner, webhooks_api: WebhooksApi, route: Route
) -> None:
    stranger = webhooks_api.tenant()
    own = await stranger.webhook()

    refused(await stranger.call(**owner.request(route, webhook_id=own["id"])), 404, "not_found")


async def test_lists_have_only_ones_own(owner: Owner, webhooks_api: WebhooksApi) -> None:
    stranger = webhooks_api.tenant()
    own = await stranger.webhook()

    assert [webhook["id"] for webhook in (await stranger.call("GET")).json()] == [own["id"]]
    assert (await stranger.call("GET", f"/{own['id']}/deliveries")).json()["data"] == []


async def test_a_new_webhook_is_its_creators_alone(owner: Owner, webhooks_api: WebhooksApi) -> None:
    before = await everything_of(webhooks_api, owner)
    stranger = webhooks_api.tenant()

    created = await stranger.call("POST", json=NEW | {"tenant_id": owner.tenant.id})
    created = created if created.status_code == 201 else await stranger.call("POST", json=NEW)

    assert [webhook["id"] for webhook in (await owner.tenant.call("GET")).json()] == [owner.webhook["id"]]
    assert [webhook["id"] for webhook in (await stranger.call("GET")).json()] == [created.json()["id"]]
    assert await everything_of(webhooks_api, owner) == before


@pytest.mark.parametrize("route", [route for route in SERVED if route.auth is Auth.ACCOUNT], ids=name_of)
async def test_a_route_needs_the_authorizers_word(owner: Owner, webhooks_api: WebhooksApi, route: Route) -> None:
    request = owner.request(route)

    answer = await webhooks_api.nobody().request(request["method"], PATH + request["path"], json=request.get("json"))

    refused(answer, 401, "invalid_api_key")


async def test_event_types_are_public(webhooks_api: WebhooksApi) -> None:
    answer = await webhooks_api.nobody().get(f"{PATH}/event-types")
    again = await webhooks_api.nobody().get(f"{PATH}/event-types", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "message.received" in [kind["name"] for kind in answer.json()["data"]]
    assert (again.status_code, again.content) == (304, b"")


async def test_a_test_posts_once_and_stores_nothing(owner: Owner, webhooks_api: WebhooksApi) -> None:
    before = await everything_of(webhooks_api, owner)

    answer = await owner.tenant.call("POST", f"/{owner.webhook['id']}/test")

    assert answer.json() == {"success": True, "status_code": 200, "latency_ms": 12, "error": None}
    (posted,) = webhooks_api.endpoints.posted
    assert posted["webhook"] == Webhook.of(before[0])
    assert posted["type"] == "test"
    assert posted["id"].startswith("dlv_")
    content = json.loads(posted["body"])
    assert set(content) == {"event", "timestamp", "data"}
    assert (content["event"], set(content["data"])) == ("test", {"message"})
    assert await everything_of(webhooks_api, owner) == before


@pytest.mark.parametrize(("status", "error"), [(500, "HTTP 500"), (302, "HTTP 302"), (None, "No connection.")])
async def test_a_failed_test_is_an_answer_too(
    owner: Owner, webhooks_api: WebhooksApi, monkeypatch: pytest.MonkeyPatch, status: int | None, error: str
) -> None:
    monkeypatch.setattr(webhooks_api.endpoints, "outcome", AttemptOutcome(NOW, status, 7, error))

    answer = await owner.tenant.call("POST", f"/{owner.webhook['id']}/test")

    assert answer.status_code == 200
    assert answer.json() == {"success": False, "status_code": status, "latency_ms": 7, "error": error}


@pytest.fixture
def records() -> Iterator[list[str]]:
    """Everything that anybody logs."""
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(str(record.__dict__))

    kept, loggers = (
        Kept(),
        [logging.getLogger(), logging.getLogger("callmissed-webhooks"), logging.getLogger("callmissed-web")],
    )
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(kept)
        logger.setLevel(logging.DEBUG)
    yield found
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(kept)
        logger.setLevel(level)


async def test_secrets_are_in_no_log_list_or_error(
    tenant: Tenant, webhooks_api: WebhooksApi, records: list[str]
) -> None:
    created = await tenant.webhook()
    path = f"/{created['id']}"
    rotated = (await tenant.call("POST", f"{path}/rotate")).json()["secret"]
    webhooks_api.queue.down = True
    answers = [
        await tenant.call("GET"),
        await tenant.call("GET", path),
        await tenant.call("PUT", path, json={"is_active": True, "headers": {"Authorization": "****"}}),
        await tenant.call("POST", path + "/recover"),
        await tenant.call("POST", path + "/test"),
        await tenant.call("PUT", path, json={"url": FORBIDDEN, "headers": {"X-A": HEADER}}),
        await tenant.call("PUT", path, json={"headers": {"X-A": HEADER + "\n"}}),
        await tenant.call("PUT", path, json={"headers": {"Host": HEADER}}),
        await tenant.call("PUT", path, json={"headers": HEADER}),
        await tenant.call("POST", json={**NEW, "events": ["unknown"]}),
    ]

    said = "".join([*(answer.text for answer in answers), *records])

    assert "left to the scheduler" in said
    for secret in (created["secret"], rotated, HEADER):
        assert secret not in said


async def everything_of(webhooks_api: WebhooksApi, owner: Owner) -> list[dict[str, Any]]:
    endpoint = owner.tenant.endpoint(owner.webhook)
    replay = replay_key(endpoint, owner.ids["replay_id"])
    return [
        await webhooks_api.webhook(endpoint),
        await webhooks_api.row(endpoint, owner.ids["delivery_id"]),
        await webhooks_api.item(DELIVERIES, replay),
        await webhooks_api.item(WEBHOOKS, {"tenant": owner.tenant.id, "webhook": COUNT}),
    ]
