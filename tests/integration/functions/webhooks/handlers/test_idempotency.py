"""Every route that changes something answers a keyed request once, and from then on with the same bytes.

The routes are the route table's: a new one of the function `webhooks` is called here as it comes. Each other slice has
this test of its own.
"""

from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.aws.attributes import to_item
from callmissed.aws.database import Database
from callmissed.idempotency.requests import HEADER, REPLAYED
from callmissed.platform.functions import WEBHOOKS_API
from callmissed.platform.routes import ROUTES, Auth, Route
from callmissed.platform.tables import DELIVERIES, WEBHOOKS, Table, physical_name
from callmissed.settings import CoreSettings
from functions.webhooks.handlers.api import create_server, create_services
from tests.support.webhooks.subscribers import NEW, PATH, RING, Tenant, WebhooksApi, check_url, composition_of, refused

OF_ACCOUNTS = [route for route in ROUTES if route.auth is Auth.ACCOUNT and route.function == WEBHOOKS_API.name]
RUN_ONCE = [route for route in OF_ACCOUNTS if route.method not in ("GET", "DELETE")]
DELETING = [route for route in OF_ACCOUNTS if route.method == "DELETE"]
BODIES: dict[str, dict[str, Any]] = {
    f"POST {PATH}": NEW,
    f"PUT {PATH}/{{webhook_id}}": {"description": "renamed"},
    f"POST {PATH}/{{webhook_id}}/replays": {"since": "2026-11-25T00:00:00Z"},
}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


class Caller:
    """A tenant with a webhook and a delivery, who calls the application as it is served, with a key."""

    def __init__(
        self, webhooks_api: WebhooksApi, tenant: Tenant, webhook: dict[str, Any], delivery_id: str, app: ASGIApp
    ) -> None:
        self._webhooks_api = webhooks_api
        self._endpoint = tenant.endpoint(webhook)
        self._ids = {"webhook_id": webhook["id"], "delivery_id": delivery_id}
        transport = httpx2.ASGITransport(app=authorized(app, tenant.id))
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://api")

    async def call(self, route: Route, key: str, **query: str) -> httpx2.Response:
        path, body = route.path.format(**self._ids), BODIES.get(name_of(route), {})
        return await self._client.request(route.method, path, headers={HEADER: key}, params=query, json=body)

    async def everything(self) -> list[object]:
        """All that requests change: what is stored, what was enqueued, what was sent."""
        return [
            await self._items(WEBHOOKS, "tenant", self._endpoint.tenant),
            await self._items(DELIVERIES, "webhook", self._endpoint.partition),
            [message.body for message in self._webhooks_api.queue.sent],
            [posted["id"] for posted in self._webhooks_api.endpoints.posted],
        ]

    async def _items(self, table: Table, attribute: str, value: str) -> list[Any]:
        request = {
            "TableName": physical_name(self._webhooks_api.store.stage, table),
            "KeyConditionExpression": "#key = :value",
            "ExpressionAttributeNames": {"#key": attribute},
            "ExpressionAttributeValues": to_item({":value": value}),
            "ConsistentRead": True,
        }
        return (await self._webhooks_api.dynamodb.call("Query", request))["Items"]


def authorized(app: ASGIApp, tenant: str) -> ASGIApp:
    """`app` behind an authorizer that admits this tenant."""

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        event = {"requestContext": {"authorizer": {"tenant": tenant, "key_id": "key_of_tests", "mode": "live"}}}
        await app({**scope, "aws.event": event}, receive, send)

    return admitted


@pytest.fixture
async def caller(webhooks_api: WebhooksApi, tenant: Tenant) -> Caller:
    settings = CoreSettings(stage=webhooks_api.store.stage, sealing_keys=RING[0].hex())
    database = Database(webhooks_api.dynamodb, webhooks_api.store.stage)
    composition = composition_of(settings, database)
    services = create_services(
        composition,
        check_url=check_url,
        attempts=webhooks_api.endpoints,
        queue=webhooks_api.queue,
        clock=webhooks_api.clock,
    )
    webhook = await tenant.webhook()
    delivery_id = await webhooks_api.delivery(tenant.endpoint(webhook))
    return Caller(webhooks_api, tenant, webhook, delivery_id, create_server(composition, services))


@pytest.mark.parametrize("route", RUN_ONCE, ids=name_of)
async def test_a_keyed_request_is_run_once_and_replayed(caller: Caller, route: Route) -> None:
    before = await caller.everything()
    first = await caller.call(route, "once")
    after = await caller.everything()
    again = [await caller.call(route, "once") for _ in range(2)]

    assert (first.is_success, REPLAYED in first.headers) == (True, False), first.text
    assert after != before, "the request changes something that a second run would show"
    for answer in again:
        assert answer.headers[REPLAYED] == "true"
        assert (answer.status_code, answer.content) == (first.status_code, first.content)
        assert answer.headers["content-type"] == first.headers["content-type"]
        assert answer.headers["x-request-id"] != first.headers["x-request-id"]
    assert await caller.everything() == after


@pytest.mark.parametrize("route", RUN_ONCE, ids=name_of)
async def test_a_key_stands_for_one_request(caller: Caller, route: Route) -> None:
    assert (await caller.call(route, "once")).is_success
    after = await caller.everything()

    refused(await caller.call(route, "once", another="request"), 409, "idempotency_conflict")
    assert await caller.everything() == after


@pytest.mark.parametrize("route", DELETING, ids=name_of)
async def test_a_deletion_needs_no_key_and_is_never_replayed(caller: Caller, route: Route) -> None:
    first, again = [await caller.call(route, "once") for _ in range(2)]

    assert (first.status_code, REPLAYED in first.headers) == (204, False)
    refused(again, 404, "not_found")
    assert REPLAYED not in again.headers
