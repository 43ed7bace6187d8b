"""The function `webhooks`: the API of subscriptions, deliveries and replays."""

from functools import cache, partial
from typing import Any

from fastapi import FastAPI
from mangum import Mangum

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Sending, SqsQueue
from callmissed.aws.runtime import use_own_loop
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from callmissed.http.urls import checked_url
from callmissed.idempotency.answers import S3Answers
from callmissed.idempotency.store import IdempotencyStore
from callmissed.platform.queues import DISPATCH
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings, from_environment
from callmissed.web.app import create_api
from callmissed.web.idempotency import IdempotencyMiddleware
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.attempts import Attempting, Attempts
from functions.webhooks.deliveries import Deliveries
from functions.webhooks.parts import Parts
from functions.webhooks.replays import Replays
from functions.webhooks.routes import deliveries, event_types, replays, subscriptions
from functions.webhooks.subscriptions import CheckUrl, Subscriptions

ROUTERS = (event_types.router, subscriptions.router, deliveries.router, replays.router)


def create_parts(
    settings: CoreSettings,
    database: Database,
    *,
    check_url: CheckUrl | None = None,
    attempts: Attempting | None = None,
    dispatch: Sending | None = None,
    clock: Clock = system_clock,
) -> Parts:
    """The parts of one process, none of which opens a connection before it is used.

    Raises ValueError without a sealing key.
    """
    dispatch = dispatch or SqsQueue(settings, DISPATCH)
    sealer = Sealer(settings.sealing_ring)
    check_url = check_url or partial(checked_url, allow_loopback=settings.allow_loopback)
    attempts = attempts or Attempts(SafeClient(allow_loopback=settings.allow_loopback), sealer, clock)
    owned = Subscriptions(database, sealer=sealer, check_url=check_url, dispatch=dispatch)
    return Parts(
        subscriptions=owned,
        deliveries=Deliveries(database, dispatch),
        replays=Replays(database, dispatch, owned),
        attempts=attempts,
        clock=clock,
    )


def create_app(parts: Parts) -> FastAPI:
    """The application over `parts`."""
    return create_api("CallMissed webhooks", ROUTERS, parts=parts)


def create_server(settings: CoreSettings, parts: Parts, database: Database) -> RequestContextMiddleware:
    """The application as it is served: each keyed request runs once. Answers show secrets, so they are kept sealed."""
    store = IdempotencyStore(database, S3Answers(settings), Sealer(settings.sealing_ring))
    return RequestContextMiddleware(IdempotencyMiddleware(create_app(parts), store, parts.clock))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> Mangum:
    """Made at the first invocation, on its thread and loop."""

    settings = from_environment()
    database = Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage)
    server = create_server(settings, create_parts(settings, database), database)
    use_own_loop()
    return Mangum(server, lifespan="off")
