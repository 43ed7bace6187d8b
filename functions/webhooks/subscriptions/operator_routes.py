"""/api/v1/admin/tenants/{tenant_id}/webhooks: what operators change of a tenant's webhooks."""

from fastapi import APIRouter
from pydantic import BaseModel

from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import ClockOf
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.schemas import OperatorRequest
from functions.webhooks.error_responses import operator_responses
from functions.webhooks.storage.records import Endpoint
from functions.webhooks.subscriptions.routes import SubscriptionsOf

router = APIRouter(tags=["admin"], route_class=GatewayRoute)


class DeletedWebhook(BaseModel):
    """A webhook that is no more."""

    deleted: str
    url: str


@router.post(
    "/api/v1/admin/tenants/{tenant_id}/webhooks/{webhook_id}/delete",
    summary="Delete a tenant's webhook",
    response_model=DeletedWebhook,
    responses=operator_responses(),
)
async def delete_webhook(
    tenant_id: str,
    webhook_id: str,
    request: OperatorRequest,
    operator: OperatorOf,
    subscriptions: SubscriptionsOf,
    clock: ClockOf,
) -> DeletedWebhook:
    """Delete a webhook; what is still queued for it is dropped."""
    endpoint = Endpoint(tenant_id, webhook_id)
    webhook = await subscriptions.get(endpoint)
    await subscriptions.delete(endpoint, operator(request.reason), clock())
    return DeletedWebhook(deleted=webhook_id, url=webhook.url)
