"""GET /api/v1/webhooks/event-types: what can be subscribed to."""

from fastapi import APIRouter, Request, Response

from callmissed.events.types import catalogue
from callmissed.web.caching import cacheable
from callmissed.web.gateway_route import GatewayRoute
from functions.webhooks.error_responses import public_responses
from functions.webhooks.events.schemas import EventTypesOut

router = APIRouter(tags=["webhooks"], route_class=GatewayRoute)


@router.get(
    "/api/v1/webhooks/event-types",
    summary="List event types",
    response_model=EventTypesOut,
    responses=public_responses(),
)
async def list_event_types(request: Request) -> Response:
    """Every event type with a JSON Schema and an example of its `data`; public."""
    return cacheable(request, {"data": catalogue()})
