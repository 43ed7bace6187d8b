"""The function `webhooks`: the API of subscriptions, deliveries and replays."""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fastapi import FastAPI

from callmissed.aws.queues import Sending
from callmissed.aws.runtime import logs_failures, use_own_loop
from callmissed.aws.secrets import sealing_ring
from callmissed.aws.start import prepare_start
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from callmissed.http.urls import checked_url
from callmissed.sealing import Sealer
from callmissed.web.app import create_api, state_of
from callmissed.web.idempotency import keyed_server
from callmissed.web.lambda_handler import LambdaHandler
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.composition import WebhooksComposition, compose
from functions.webhooks.deliveries import routes as deliveries
from functions.webhooks.deliveries.service import Deliveries
from functions.webhooks.delivery.attempts import Attempting, Attempts
from functions.webhooks.events import operator_routes as examples
from functions.webhooks.events import routes as event_types
from functions.webhooks.replays import routes as replays
from functions.webhooks.replays.service import Replays
from functions.webhooks.subscriptions import operator_routes as operators
from functions.webhooks.subscriptions import routes as subscriptions
from functions.webhooks.subscriptions.service import CheckUrl, Subscriptions

prepare_start("anyio._backends._asyncio")

ROUTERS = (
    event_types.router,
    subscriptions.router,
    deliveries.router,
    replays.router,
    operators.router,
    examples.router,
)


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one process, which routes find by name in the application's state."""

    subscriptions: Subscriptions
    deliveries: Deliveries
    replays: Replays
    attempts: Attempting
    examples: examples.Examples
    clock: Clock


def create_services(
    composition: WebhooksComposition,
    *,
    check_url: CheckUrl | None = None,
    attempts: Attempting | None = None,
    queue: Sending | None = None,
    clock: Clock = system_clock,
) -> Services:
    """The services of one process, none of which opens a connection before use.

    Raises ValueError without a sealing key.
    """
    settings, repository = composition.settings, composition.repository
    sealer, queue = Sealer(sealing_ring(settings)), queue or composition.jobs
    check_url = check_url or partial(checked_url, allow_loopback=settings.allow_loopback)
    owned = Subscriptions(repository, sealer=sealer, check_url=check_url, queue=queue)
    return Services(
        subscriptions=owned,
        deliveries=Deliveries(repository, queue),
        replays=Replays(repository, queue, owned),
        attempts=attempts or Attempts(SafeClient(allow_loopback=settings.allow_loopback), sealer, clock),
        examples=examples.Examples(composition.database),
        clock=clock,
    )


def create_app(services: Services) -> FastAPI:
    """The application over `services`."""
    return create_api("CallMissed webhooks", ROUTERS, **state_of(services))


def create_server(composition: WebhooksComposition, services: Services) -> RequestContextMiddleware:
    """The served application, whose stored answers are sealed."""
    settings = composition.settings
    sealer = Sealer(sealing_ring(settings))
    return keyed_server(create_app(services), settings, composition.database, sealer, services.clock)


@logs_failures("webhooks")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> LambdaHandler:
    """Created at the first invocation, on its thread and loop."""
    composition = compose()
    server = create_server(composition, create_services(composition))
    use_own_loop()
    return LambdaHandler(server)
