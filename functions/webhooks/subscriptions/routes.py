"""/api/v1/webhooks: a tenant's webhooks."""

from typing import Annotated

from fastapi import APIRouter, Body

from callmissed.web.actor import ActorOf
from callmissed.web.caller import CallerOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.webhooks.delivery.attempts import Attempting
from functions.webhooks.dependencies import EndpointOf
from functions.webhooks.error_responses import error_responses
from functions.webhooks.subscriptions.schemas import NewWebhook, Rotation, TestResultOut, WebhookChanges, WebhookOut
from functions.webhooks.subscriptions.service import Subscriptions
from functions.webhooks.subscriptions.test_event import send_test_event

router = APIRouter(tags=["webhooks"], route_class=GatewayRoute)
_PATH = "/api/v1/webhooks"
_ONE = f"{_PATH}/{{webhook_id}}"

SubscriptionsOf = Annotated[Subscriptions, from_state("subscriptions")]
AttemptsOf = Annotated[Attempting, from_state("attempts")]


@router.get(_PATH, summary="List webhooks", response_model=list[WebhookOut], responses=error_responses())
async def list_webhooks(subscriptions: SubscriptionsOf, caller: CallerOf) -> list[WebhookOut]:
    """All webhooks of the tenant, oldest first."""
    return [WebhookOut.of(webhook) for webhook in await subscriptions.all_of(caller.tenant)]


@router.post(
    _PATH,
    summary="Create a webhook",
    status_code=201,
    response_model=WebhookOut,
    responses=error_responses(422, changes=True),
)
async def create_webhook(
    subscriptions: SubscriptionsOf,
    caller: CallerOf,
    actor: ActorOf,
    clock: ClockOf,
    operation: OperationOf,
    new: NewWebhook,
) -> WebhookOut:
    """A new webhook. Its `secret` is in this answer in full, and never again.

    A tenant has at most 50 webhooks (`webhook_limit_reached`). The URL must be public HTTPS (`url_rejected`).
    """
    shown = await subscriptions.create(caller.tenant, new, actor, clock(), operation)
    return WebhookOut.of(shown.webhook, shown.secret)


@router.get(_ONE, summary="Get a webhook", response_model=WebhookOut, responses=error_responses(404))
async def get_webhook(subscriptions: SubscriptionsOf, endpoint: EndpointOf) -> WebhookOut:
    """One webhook."""
    return WebhookOut.of(await subscriptions.get(endpoint))


@router.put(
    _ONE, summary="Change a webhook", response_model=WebhookOut, responses=error_responses(404, 422, changes=True)
)
async def change_webhook(
    subscriptions: SubscriptionsOf, endpoint: EndpointOf, actor: ActorOf, clock: ClockOf, changes: WebhookChanges
) -> WebhookOut:
    """Change what the body names, and nothing else.

    `is_active: false` pauses: events are collected and sent once the webhook is resumed. `is_active: true` resumes,
    and re-enables a webhook that was disabled because its endpoint failed.
    """
    return WebhookOut.of(await subscriptions.update(endpoint, changes, actor, clock()))


@router.delete(_ONE, summary="Delete a webhook", status_code=204, responses=error_responses(404))
async def delete_webhook(subscriptions: SubscriptionsOf, endpoint: EndpointOf, actor: ActorOf, clock: ClockOf) -> None:
    """Delete the webhook; what is still queued for it is dropped."""
    await subscriptions.delete(endpoint, actor, clock())


@router.post(
    f"{_ONE}/rotate",
    summary="Rotate the secret",
    response_model=WebhookOut,
    responses=error_responses(404, 422, changes=True),
)
async def rotate_secret(
    subscriptions: SubscriptionsOf,
    endpoint: EndpointOf,
    actor: ActorOf,
    clock: ClockOf,
    operation: OperationOf,
    rotation: Annotated[Rotation | None, Body()] = None,
) -> WebhookOut:
    """A new `secret`, which is in this answer in full, and never again.

    The one before it signs beside the new one until the overlap ends, an earlier one no longer.
    """
    hours = (rotation or Rotation()).overlap_hours
    shown = await subscriptions.rotate(endpoint, hours, actor, clock(), operation)
    return WebhookOut.of(shown.webhook, shown.secret)


@router.post(
    f"{_ONE}/test", summary="Test a webhook", response_model=TestResultOut, responses=error_responses(404, changes=True)
)
async def test_webhook(
    subscriptions: SubscriptionsOf, attempts: AttemptsOf, clock: ClockOf, endpoint: EndpointOf
) -> TestResultOut:
    """Send one signed event of type `test` to the URL now. It is neither repeated nor listed among the deliveries."""
    webhook = await subscriptions.get(endpoint)
    return TestResultOut.of(await send_test_event(attempts, webhook, clock()))
