"""The function `webhooks`: the API of subscriptions, deliveries and replays."""

from functools import cache, partial
from typing import Any

from mangum import Mangum

from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Sending, SqsQueue
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from callmissed.http.urls import checked_url
from callmissed.platform.queues import DISPATCH
from callmissed.runtime import run
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings, from_environment
from callmissed.web.app import RequestFrame, create_api
from functions.webhooks.attempts import Attempting, Attempts
from functions.webhooks.deliveries import Deliveries
from functions.webhooks.parts import Parts
from functions.webhooks.replays import Replays
from functions.webhooks.routes import deliveries, event_types, replays, subscriptions
from functions.webhooks.subscriptions import CheckUrl, Subscriptions

ROUTERS = (event_types.router, subscriptions.router, deliveries.router, replays.router)


def create_parts(
    settings: CoreSettings,
    *,
    check_url: CheckUrl | None = None,
    attempts: Attempting | None = None,
    dynamodb: DynamoDB | None = None,
    dispatch: Sending | None = None,
    clock: Clock = system_clock,
) -> Parts:
    """The parts of one process, none of which opens a connection before it is used.

    Raises ValueError without a sealing key.
    """
    stage = settings.stage
    dynamodb = dynamodb or DynamoDB(settings.region, settings.dynamodb_endpoint)
    dispatch = dispatch or SqsQueue(settings, DISPATCH)
    sealer = Sealer(settings.sealing_ring)
    check_url = check_url or partial(checked_url, allow_loopback=settings.allow_loopback)
    attempts = attempts or Attempts(SafeClient(allow_loopback=settings.allow_loopback), sealer, clock)
    owned = Subscriptions(dynamodb, stage, sealer=sealer, check_url=check_url, dispatch=dispatch)
    return Parts(
        subscriptions=owned,
        deliveries=Deliveries(dynamodb, stage, dispatch),
        replays=Replays(dynamodb, stage, dispatch, owned),
        attempts=attempts,
        clock=clock,
    )


def create_app(parts: Parts) -> RequestFrame:
    """The application over `parts`."""
    return RequestFrame(create_api("CallMissed webhooks", ROUTERS, parts=parts))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> Mangum:
    """Made at the first invocation, on its thread and loop."""

    async def made() -> Mangum:
        return Mangum(create_app(create_parts(from_environment())), lifespan="off")

    return run(made())
