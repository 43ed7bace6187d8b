"""The API of webhooks on real tables, tenants who call it, and what it stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message, QueueUnavailable
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.events.outbox import Event, new_event, to_record
from callmissed.events.types import EVENT_TYPES
from callmissed.idempotency.operation import Operation
from callmissed.ids import new_id
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table, physical_name
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from functions.webhooks.composition import WebhooksComposition, compose
from functions.webhooks.delivery.attempts import AttemptOutcome
from functions.webhooks.storage.records import (
    Endpoint,
    State,
    Webhook,
    attempt_key,
    delivery_id,
    delivery_key,
)
from local.aws.tables import StageTables
from tests.support.webhooks.items import new_delivery

NOW = Micros(1_795_599_000 * SECOND)  # 2026-11-25T09:30:00Z
RING = (bytes(range(32)),)
PATH = "/api/v1/webhooks"
URL = "https://example.com/hooks"
FORBIDDEN = "http://10.0.0.1/"
HEADER = "Bearer a-secret-of-the-receiver"
NEW: dict[str, Any] = {"url": URL, "events": ["message.*", "payment.failed"], "headers": {"Authorization": HEADER}}


def check_url(text: str) -> str:
    """What the tests let a tenant call."""
    if not text.startswith("https://"):
        raise ApiError(400, "url_rejected", "The URL must be https://.")
    return text


def composition_of(settings: CoreSettings, database: Database) -> WebhooksComposition:
    """The dependencies of a process that uses this `database`."""
    composition = compose(settings)
    composition.__dict__["database"] = database
    return composition


class Queue:
    """Takes messages, unless it is down."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.down = False

    async def send(self, messages: Sequence[Message]) -> None:
        if self.down:
            raise QueueUnavailable("down")
        self.sent += messages

    def bodies(self) -> list[dict[str, Any]]:
        """Bodies of the messages that were sent since the last call."""
        sent, self.sent = self.sent, []
        return [message.body for message in sent]


@dataclass
class Endpoints:
    """Answers tests in place of the sender's attempts."""

    outcome: AttemptOutcome = field(default_factory=lambda: AttemptOutcome(NOW, 200, 12))
    posted: list[dict[str, Any]] = field(default_factory=list)

    async def make(self, webhook: Webhook, *, delivery_id: str, event_type: str, body: str, now: int) -> AttemptOutcome:
        self.posted.append({"webhook": webhook, "id": delivery_id, "type": event_type, "body": body})
        return self.outcome


class Clock:
    """A clock that changes only when a test sets it."""

    def __init__(self) -> None:
        self.now: int = NOW

    def __call__(self) -> Micros:
        return Micros(self.now)


@dataclass
class Tenant:
    """A tenant who calls the API."""

    id: str
    client: httpx2.AsyncClient

    async def call(self, method: str, path: str = "", *, operation: str | None = None, **more: Any) -> httpx2.Response:
        """The answer of `PATH` and `path`; `operation` is what the idempotency of requests would have made of a key."""
        headers = {"x-operation": operation} if operation else {}
        return await self.client.request(method, PATH + path, headers=headers, **more)

    async def webhook(self, **fields: Any) -> dict[str, Any]:
        """A new webhook."""
        created = await self.call("POST", json={**NEW, **fields})
        assert created.status_code == 201, created.text
        return created.json()

    def endpoint(self, webhook: dict[str, Any]) -> Endpoint:
        return Endpoint(self.id, webhook["id"])


class WebhooksApi:
    """The application `app` on real tables, with its queue, clock and endpoints."""

    def __init__(self, store: StageTables, dynamodb: DynamoDB) -> None:
        self.store = store
        self.dynamodb = dynamodb
        self.queue = Queue()
        self.endpoints = Endpoints()
        self.clock = Clock()
        self.sealer = Sealer(RING)
        self.app: ASGIApp = self._unbuilt

    def tenant(self) -> Tenant:
        id = new_id("tnt")
        transport = httpx2.ASGITransport(app=self._as_tenant(id))
        return Tenant(id, httpx2.AsyncClient(transport=transport, base_url="http://api"))

    def nobody(self) -> httpx2.AsyncClient:
        """A client whom no authorizer let through."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://api")

    async def item(self, table: Table, key: Item) -> Item:
        request = {"TableName": physical_name(self.store.stage, table), "Key": to_item(key), "ConsistentRead": True}
        return from_item((await self.dynamodb.call("GetItem", request)).get("Item", {}))

    async def webhook(self, endpoint: Endpoint) -> Item:
        return await self.item(WEBHOOKS, endpoint.key)

    async def put(self, table: Table, item: Item) -> None:
        request = {"TableName": physical_name(self.store.stage, table), "Item": to_item(item)}
        await self.dynamodb.call("PutItem", request)

    async def fail(self, endpoint: Endpoint, **health: Any) -> None:
        """Set what the sender writes into a webhook whose endpoint fails."""
        await self.put(WEBHOOKS, await self.webhook(endpoint) | health)

    async def event(self, tenant: str, type: str = "message.received", at: int = NOW) -> Event:
        """An event in the outbox."""
        kind = EVENT_TYPES[type]
        event = new_event(tenant, kind.model_validate(kind.example), Micros(at))
        await self.put(OUTBOX, to_record(event))
        return event

    async def delivery(
        self, endpoint: Endpoint, type: str = "message.received", *, at: int = NOW, **attributes: Any
    ) -> str:
        """A delivered delivery, unless `attributes` say otherwise; returns its id."""
        event = await self.event(endpoint.tenant, type, at)
        id = delivery_id(Micros(at), event.id, endpoint.webhook)
        done = {"n": 1, "code": 200, "done": at + SECOND}
        await self.put(DELIVERIES, new_delivery(endpoint, id, to_record(event), State.DELIVERED) | done | attributes)
        return id

    async def attempt(self, endpoint: Endpoint, id: str, number: int, **attributes: Any) -> None:
        await self.put(DELIVERIES, attempt_key(endpoint, id, number) | {"at": NOW + number * MINUTE} | attributes)

    async def row(self, endpoint: Endpoint, id: str) -> Item:
        return await self.item(DELIVERIES, delivery_key(endpoint, id))

    def _as_tenant(self, id: str) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            authorizer = {"tenant": id, "key_id": "key_of_tests", "mode": "live"}
            named = dict(scope["headers"]).get(b"x-operation")
            state = {"operation": Operation(named.decode()) if named else Operation.new()}
            event = {"requestContext": {"authorizer": authorizer}}
            await self.app({**scope, "aws.event": event, "state": state}, receive, send)

        return app

    async def _unbuilt(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("no application was set")


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that `response` is this refusal in the platform's envelope; returns the error."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    assert ("details" in error) == (status == 422)
    return error


def without_id(response: httpx2.Response) -> str:
    """The answer without the request's id, to compare two."""
    return response.text.replace(response.headers["x-request-id"], "")
