"""/api/v1/webhooks/{webhook_id}/deliveries: what was sent, and how it was taken."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from callmissed.web.idempotency import OperationOf
from functions.webhooks.delivery.rendering import delivery_detail, delivery_object
from functions.webhooks.delivery.service import Wanted
from functions.webhooks.delivery.time_range import micros
from functions.webhooks.error_responses import refusals
from functions.webhooks.parts import EndpointOf, PartsOf
from functions.webhooks.subscriptions.schemas import (
    DeliveryDetail,
    DeliveryPage,
    DeliveryStatus,
    EventFilter,
    Queued,
)

router = APIRouter(tags=["webhooks"])
_PATH = "/api/v1/webhooks/{webhook_id}/deliveries"
_ONE = f"{_PATH}/{{delivery_id}}"


@router.get(_PATH, summary="List deliveries", response_model=DeliveryPage, responses=refusals(404, 422))
async def list_deliveries(
    parts: PartsOf,
    endpoint: EndpointOf,
    status: Annotated[DeliveryStatus | None, Query(description="Only deliveries in this status.")] = None,
    event: Annotated[EventFilter | None, Query(description="Only of this event type, or of a filter's types.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Only of events since then.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only of events before then.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Deliveries on a page, at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before.")] = None,
) -> dict[str, Any]:
    """Deliveries of the last 30 days, newest event first."""
    await parts.subscriptions.get(endpoint)
    wanted = Wanted(status, event, since and micros(since), until and micros(until))
    page = await parts.deliveries.page(endpoint, wanted, limit, cursor)
    return {"data": [delivery_object(delivery) for delivery in page.deliveries], "next_cursor": page.cursor}


@router.get(_ONE, summary="Get a delivery", response_model=DeliveryDetail, responses=refusals(404))
async def get_delivery(parts: PartsOf, endpoint: EndpointOf, delivery_id: str) -> dict[str, Any]:
    """One delivery with its payload and every attempt."""
    await parts.subscriptions.get(endpoint)
    delivery = await parts.deliveries.get(endpoint, delivery_id)
    attempts = await parts.deliveries.attempts(endpoint, delivery_id)
    event = await parts.deliveries.event(endpoint.tenant, delivery["event"], parts.clock())
    return delivery_detail(delivery, attempts, event)


@router.post(
    f"{_ONE}/replay",
    summary="Replay a delivery",
    status_code=202,
    response_model=Queued,
    responses=refusals(400, 404, 410),
)
async def replay_delivery(parts: PartsOf, endpoint: EndpointOf, operation: OperationOf, delivery_id: str) -> Queued:
    """Send the event again, as a new delivery to the webhook's current URL with its current secret."""
    webhook = await parts.subscriptions.get(endpoint)
    return Queued(delivery_id=await parts.deliveries.replay(webhook, delivery_id, parts.clock(), operation))
