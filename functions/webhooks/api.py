"""The function `webhooks`: the API of subscriptions, deliveries and replays."""

from functools import cache
from typing import Any

from mangum import Mangum

from callmissed.aws.attributes import Item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Sending, SqsQueue
from callmissed.clock import Clock, system_clock
from callmissed.errors import service_unavailable
from callmissed.platform.queues import DISPATCH
from callmissed.runtime import run
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings, from_environment
from callmissed.web.app import RequestFrame, create_api
from functions.webhooks.deliveries import Deliveries
from functions.webhooks.parts import Parts
from functions.webhooks.replays import Replays
from functions.webhooks.routes import deliveries, event_types, replays, subscriptions
from functions.webhooks.subscriptions import CheckUrl, Subscriptions
from functions.webhooks.trials import Outcome, Posting

ROUTERS = (event_types.router, subscriptions.router, deliveries.router, replays.router)


def create_parts(
    settings: CoreSettings,
    *,
    check_url: CheckUrl,
    post: Posting,
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
    owned = Subscriptions(dynamodb, stage, sealer=sealer, check_url=check_url, dispatch=dispatch)
    return Parts(
        subscriptions=owned,
        deliveries=Deliveries(dynamodb, stage, dispatch),
        replays=Replays(dynamodb, stage, dispatch, owned),
        post=post,
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
        return Mangum(create_app(_deployed_parts(from_environment())), lifespan="off")

    return run(made())


def _deployed_parts(settings: CoreSettings) -> Parts:
    from callmissed.http.urls import checked_url

    def check_url(text: str) -> object:
        return checked_url(text, allow_loopback=settings.allow_loopback)

    return create_parts(settings, check_url=check_url, post=post_unconnected)


async def post_unconnected(webhook: Item, *, delivery_id: str, event_type: str, body: bytes) -> Outcome:
    """Stands where the sender's attempts are connected. Raises ApiError 503."""
    raise service_unavailable()
