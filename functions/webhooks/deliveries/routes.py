"""/api/v1/webhooks/{webhook_id}/deliveries: what was sent, and how endpoints answered."""

from typing import Annotated

from fastapi import APIRouter, Query

from callmissed.clock import micros_at
from callmissed.web.actor import ActorOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.webhooks.deliveries.cursors import CURSOR
from functions.webhooks.deliveries.schemas import (
    DeliveryDetailOut,
    DeliveryPageOut,
    DeliveryStatus,
    EventFilter,
    Moment,
    QueuedDeliveryOut,
)
from functions.webhooks.deliveries.service import Deliveries, DeliveryFilter
from functions.webhooks.dependencies import EndpointOf
from functions.webhooks.error_responses import error_responses

router = APIRouter(tags=["webhooks"], route_class=GatewayRoute)
_PATH = "/api/v1/webhooks/{webhook_id}/deliveries"
_ONE = f"{_PATH}/{{delivery_id}}"

DeliveriesOf = Annotated[Deliveries, from_state("deliveries")]


@router.get(_PATH, summary="List deliveries", response_model=DeliveryPageOut, responses=error_responses(404, 422))
async def list_deliveries(
    deliveries: DeliveriesOf,
    endpoint: EndpointOf,
    status: Annotated[DeliveryStatus | None, Query(description="Only deliveries in this status.")] = None,
    event: Annotated[EventFilter | None, Query(description="Only of this event type, or of a filter's types.")] = None,
    since: Annotated[Moment | None, Query(description="Only of events since then.")] = None,
    until: Annotated[Moment | None, Query(description="Only of events before then.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Deliveries on a page, at most.")] = 50,
    cursor: Annotated[str | None, Query(pattern=CURSOR, description="`next_cursor` of the page before.")] = None,
) -> DeliveryPageOut:
    """Deliveries of the last 30 days, newest event first."""
    await deliveries.webhook(endpoint)
    wanted = DeliveryFilter(status, event, since and micros_at(since), until and micros_at(until))
    return DeliveryPageOut.of(await deliveries.page(endpoint, wanted, limit, cursor))


@router.get(_ONE, summary="Get a delivery", response_model=DeliveryDetailOut, responses=error_responses(404))
async def get_delivery(
    deliveries: DeliveriesOf, clock: ClockOf, endpoint: EndpointOf, delivery_id: str
) -> DeliveryDetailOut:
    """One delivery with its payload and every attempt."""
    await deliveries.webhook(endpoint)
    delivery = await deliveries.get(endpoint, delivery_id)
    attempts = await deliveries.attempts(endpoint, delivery_id)
    event = await deliveries.event(endpoint.tenant, delivery.event_id, clock())
    return DeliveryDetailOut.of(delivery, attempts, event)


@router.post(
    f"{_ONE}/replay",
    summary="Replay a delivery",
    status_code=202,
    response_model=QueuedDeliveryOut,
    responses=error_responses(404, 410, changes=True),
)
async def replay_delivery(
    deliveries: DeliveriesOf,
    actor: ActorOf,
    clock: ClockOf,
    endpoint: EndpointOf,
    operation: OperationOf,
    delivery_id: str,
) -> QueuedDeliveryOut:
    """Send the event again, as a new delivery to the webhook's current URL with its current secret."""
    webhook = await deliveries.webhook(endpoint)
    return QueuedDeliveryOut(delivery_id=await deliveries.replay(webhook, delivery_id, actor, clock(), operation))
