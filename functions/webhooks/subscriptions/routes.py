"""/api/v1/webhooks: a tenant's webhooks."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from callmissed.web.caller import CallerOf
from callmissed.web.idempotency import OperationOf
from functions.webhooks.delivery.rendering import webhook_object
from functions.webhooks.error_responses import refusals
from functions.webhooks.parts import EndpointOf, PartsOf
from functions.webhooks.subscriptions.schemas import NewWebhook, Rotation, TrialResult, Webhook, WebhookChanges
from functions.webhooks.subscriptions.test_event import attempt_test

router = APIRouter(tags=["webhooks"])
_PATH = "/api/v1/webhooks"
_ONE = f"{_PATH}/{{webhook_id}}"


@router.get(_PATH, summary="List webhooks", response_model=list[Webhook], responses=refusals())
async def list_webhooks(parts: PartsOf, caller: CallerOf) -> list[dict[str, Any]]:
    """All webhooks of the tenant, oldest first."""
    return [webhook_object(webhook) for webhook in await parts.subscriptions.all_of(caller.tenant)]


@router.post(
    _PATH, summary="Create a webhook", status_code=201, response_model=Webhook, responses=refusals(400, 409, 422)
)
async def create_webhook(parts: PartsOf, caller: CallerOf, operation: OperationOf, new: NewWebhook) -> dict[str, Any]:
    """A new webhook. Its `secret` is in this answer in full, and never again.

    A tenant has at most 50 webhooks (`webhook_limit_reached`). The URL must be public HTTPS (`url_rejected`).
    """
    shown = await parts.subscriptions.create(caller.tenant, new, parts.clock(), operation)
    return webhook_object(shown.webhook, shown.secret)


@router.get(_ONE, summary="Get a webhook", response_model=Webhook, responses=refusals(404))
async def get_webhook(parts: PartsOf, endpoint: EndpointOf) -> dict[str, Any]:
    """One webhook."""
    return webhook_object(await parts.subscriptions.get(endpoint))


@router.put(_ONE, summary="Change a webhook", response_model=Webhook, responses=refusals(400, 404, 409, 422))
async def change_webhook(parts: PartsOf, endpoint: EndpointOf, changes: WebhookChanges) -> dict[str, Any]:
    """Change what the body names, and nothing else.

    `is_active: false` pauses: events are collected and sent once the webhook is resumed. `is_active: true` resumes,
    and re-enables a webhook that was disabled because its endpoint failed.
    """
    return webhook_object(await parts.subscriptions.update(endpoint, changes, parts.clock()))


@router.delete(_ONE, summary="Delete a webhook", status_code=204, responses=refusals(404))
async def delete_webhook(parts: PartsOf, endpoint: EndpointOf) -> None:
    """Delete the webhook; what is still queued for it is dropped."""
    await parts.subscriptions.delete(endpoint)


@router.post(f"{_ONE}/rotate", summary="Rotate the secret", response_model=Webhook, responses=refusals(404, 409, 422))
async def rotate_secret(
    parts: PartsOf, endpoint: EndpointOf, operation: OperationOf, rotation: Annotated[Rotation | None, Body()] = None
) -> dict[str, Any]:
    """A new `secret`, which is in this answer in full, and never again.

    The one before it signs beside the new one until the overlap ends, an earlier one no longer.
    """
    hours = (rotation or Rotation()).overlap_hours
    shown = await parts.subscriptions.rotate(endpoint, hours, parts.clock(), operation)
    return webhook_object(shown.webhook, shown.secret)


@router.post(f"{_ONE}/test", summary="Test a webhook", response_model=TrialResult, responses=refusals(404))
async def test_webhook(parts: PartsOf, endpoint: EndpointOf) -> dict[str, Any]:
    """Send one signed event of type `test` to the URL now. It is neither repeated nor listed among the deliveries."""
    webhook = await parts.subscriptions.get(endpoint)
    return await attempt_test(parts.attempts, webhook, parts.clock())
