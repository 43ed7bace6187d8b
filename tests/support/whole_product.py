"""Every declared route in one process: behind the local gateway, and as API Gateway calls the deployed functions.

The gateway, the authorizer and the functions are the real ones on real tables. A function is called with an event, as
Lambda calls its handler, or behind the Lambda Web Adapter, as the adapter calls its server.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message as QueueMessage
from callmissed.clock import Clock, system_clock
from callmissed.errors import ApiError
from callmissed.platform.functions import (
    AUTH_API,
    BILLING_API,
    BOTS_API,
    CALLBACKS_API,
    CONVERSATION_DRAFTS,
    INFERENCE,
    WEBHOOKS_API,
)
from callmissed.platform.routes import ROUTES, Auth
from callmissed.settings import CoreSettings
from callmissed.web.lambda_handler import Event
from callmissed.web.request_context import RequestContextMiddleware
from callmissed_ai.calls.container import Container, create_container
from functions.auth.authorizer import authorize, request_of
from functions.auth.composition import AuthComposition
from functions.auth.handlers.api import create_server as create_auth_server
from functions.auth.handlers.api import create_services as create_auth_services
from functions.billing.composition import BillingComposition
from functions.billing.handlers.api import create_server as create_billing_server
from functions.billing.handlers.api import create_services as create_billing_services
from functions.bots.handlers.api import create_server as create_bots_server
from functions.bots.handlers.api import create_services as create_bots_services
from functions.bots.handlers.conversation_drafts import create_server as create_drafts_server
from functions.bots.sealed_composition import SealedComposition
from functions.inference.adapter import AdapterRequests
from functions.inference.app import create_app as inference_app
from functions.webhooks.composition import WebhooksComposition
from functions.webhooks.handlers.api import create_server, create_services
from functions.webhooks.handlers.callbacks_api import create_app as callbacks_app
from local.api_gateway.authorizer import LambdaAuthorizer
from local.api_gateway.events import HttpRequest, proxy_event
from local.api_gateway.gateway import ApiGateway
from local.api_gateway.proxy_integration import ProxyIntegration, response_messages
from local.api_gateway.resources import find_route, resources
from local.api_gateway.sigv4 import verifier
from tests.support.lambda_events import answer_event

OPERATOR_SECRET = "of-the-tests"
HeaderList = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: `path` percent-encoded, headers in order, repeated ones repeated."""

    method: str
    path: str
    headers: HeaderList = ()
    body: bytes = b""
    query: str = ""

    def with_headers(self, headers: HeaderList) -> "Sent":
        return Sent(self.method, self.path, (*self.headers, *headers), self.body, self.query)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller sees."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]


async def ask(app: ASGIApp, sent: Sent, **more: Any) -> Reply:
    """The reply of an ASGI application to `sent`, as uvicorn reads it from the wire."""
    messages: list[Message] = []
    unread = [sent.body]

    async def receive() -> Message:
        if not unread:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": unread.pop(), "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": sent.method,
        "path": unquote(sent.path),
        "raw_path": sent.path.encode("latin-1"),
        "query_string": sent.query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.headers],
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 4711),
        "root_path": "",
        **more,
    }
    await app(scope, receive, send)
    return _reply(messages)


def _reply(messages: Sequence[Message]) -> Reply:
    head, *bodies = messages
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head["headers"]}
    return Reply(head["status"], headers, b"".join(message.get("body", b"") for message in bodies))


class _MailQueue:
    """Keeps the jobs of mails."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def send(self, messages: Sequence[QueueMessage]) -> None:
        self.bodies += [message.body for message in messages]


class WholeProduct:
    """The functions over the tables of `settings`, all on one event loop. `mails` are the jobs of mails so far.

    `clock` is that of people and their sessions. Without `dynamodb` the product has a client of its own.
    """

    def __init__(
        self, settings: CoreSettings, clock: Clock = system_clock, *, dynamodb: DynamoDB | None = None
    ) -> None:
        self.dynamodb = dynamodb or DynamoDB(settings.region, settings.dynamodb_endpoint, timeout_seconds=20)
        self.database = Database(self.dynamodb, settings.stage)
        self.clock = clock
        self.mails = _MailQueue()
        self.accounts = AuthComposition(settings)
        self.accounts.__dict__.update(database=self.database, mails=self.mails)
        self.people = create_auth_services(self.accounts, clock=clock)
        self._container: Container = create_container(settings, system_clock, self.dynamodb)
        composition = WebhooksComposition(settings)
        composition.__dict__["database"] = self.database
        self._bots = SealedComposition(settings)
        self._bots.__dict__["database"] = self.database
        billing = BillingComposition(settings)
        billing.__dict__["database"] = self.database
        self.billing = create_billing_services(billing, clock=clock)
        self.inference = inference_app(self._container)
        self.handled: Mapping[str, ASGIApp] = {
            AUTH_API.name: create_auth_server(self.accounts, self.people),
            WEBHOOKS_API.name: create_server(composition, create_services(composition)),
            CONVERSATION_DRAFTS.name: create_drafts_server(self._bots, self._container),
            BILLING_API.name: create_billing_server(billing, self.billing),
            BOTS_API.name: create_bots_server(self._bots, create_bots_services(self._bots, clock=clock)),
            CALLBACKS_API.name: RequestContextMiddleware(callbacks_app(settings, self.database)),
        }
        self._templates = resources(ROUTES)
        self._operator_of = verifier(OPERATOR_SECRET)
        self.gateway = ApiGateway(
            {INFERENCE.name: self.inference, **{name: self._integration(app) for name, app in self.handled.items()}},
            authorize=LambdaAuthorizer(self._authorize, 10).authorize,
            verify_operator=self._operator_of,
        )

    async def through_local_gateway(self, sent: Sent) -> Reply:
        """The reply of the local stack."""
        return await ask(self.gateway, sent)

    async def through_api_gateway(self, sent: Sent, seen: str | None = None) -> Reply:
        """The reply of a deployed stage, where its functions are asked; the adapter sends `seen` as the path.

        Raises ApiError for what API Gateway refuses.
        """
        route, parameters = find_route(self._templates, sent.method, sent.path)
        request = HttpRequest(
            sent.method, sent.path, route.path, parameters, sent.query, _of_gateway(sent.headers), sent.body
        )
        if route.function == INFERENCE.name:
            return await self._through_adapter(sent, seen or sent.path, proxy_event(request)["requestContext"])
        context = None
        if route.auth is Auth.OPERATOR:
            request = replace(request, user_arn=self._operator_of(request))
        if route.has_authorizer:
            context = await LambdaAuthorizer(self._authorize, 10).authorize(request)
        answer = await answer_event(self.handled[route.function], proxy_event(request, context))
        return _reply(response_messages(answer))

    async def _through_adapter(self, sent: Sent, seen: str, context: Mapping[str, Any]) -> Reply:
        own = "x-amzn-request-context"
        headers = [header for header in _of_gateway(sent.headers) if header[0].lower() != own]
        passed_on = Sent(sent.method, seen, [*headers, (own, json.dumps(context))], sent.body, sent.query)
        return await ask(AdapterRequests(self.inference), passed_on)

    async def close(self) -> None:
        await self._container.close()
        await self.people.http.close()
        await self._bots.http.close()
        await self.billing.http.close()
        await self.dynamodb.close()

    def _integration(self, app: ASGIApp) -> ASGIApp:
        async def invoke(event: Event) -> Any:
            return await answer_event(app, event)

        return ProxyIntegration(invoke)

    async def _authorize(self, event: Event) -> Any:
        try:
            return await authorize(request_of(event), self.accounts.authenticators, self.clock())
        except ApiError as refused:
            if refused.status != 401:
                raise
        raise Exception("Unauthorized")  # the text is API Gateway's protocol


def _of_gateway(headers: HeaderList) -> HeaderList:
    """What API Gateway adds to the headers of a caller."""
    return (*headers, ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"))
