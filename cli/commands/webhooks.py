"""`callmissed webhooks`."""

import asyncio
import os
import signal
from functools import partial
from typing import Annotated
from urllib.parse import quote

import typer

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.queues import SqsQueue
from callmissed.aws.secrets import sealing_ring
from callmissed.http.urls import checked_url
from callmissed.idempotency.operation import Operation
from callmissed.platform.queues import DISPATCH
from callmissed.sealing import Sealer
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.errors import CommandError
from cli.groups import command_group
from cli.option_parsers import event_filter
from cli.output import Row
from cli.rows import DELIVERIES, WEBHOOKS
from cli.stage_command import stage_command
from cli.webhook_receiver import ReceivedEvent, receiving
from functions.webhooks.deliveries.schemas import DeliveryOut
from functions.webhooks.deliveries.service import Deliveries, DeliveryFilter
from functions.webhooks.storage.records import Endpoint
from functions.webhooks.storage.repository import Repository
from functions.webhooks.subscriptions.schemas import NewWebhook, WebhookOut
from functions.webhooks.subscriptions.service import Subscriptions

MAX_DELIVERIES = 200
_EVENTS = {"time": "time", "event": "event", "data": "data"}
_EVENT_WIDTHS = {"time": 20, "event": 20, "data": 30}

_LISTENER = Actor(ActorKind.OPERATOR, "callmissed webhooks listen")

webhooks = command_group("webhooks")

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id, such as wh_…")]


@stage_command(webhooks, "list")
async def list_all(context: CommandContext) -> None:
    """List a tenant's webhooks, oldest first, secrets masked."""
    await get_tenant(context.database, context.tenant)
    found = await Repository(context.database).webhooks.of_tenant(context.tenant)
    context.output.rows([WebhookOut.of(webhook).model_dump() for webhook in found], WEBHOOKS)


@stage_command(webhooks, "delete", changes=True)
async def delete(context: CommandContext, *, webhook_id: WebhookId) -> None:
    """Delete a webhook; what is still undelivered is not sent."""
    path = f"/webhooks/{quote(webhook_id, safe='')}/delete"
    context.output.record(await context.operate_on_tenant("POST", path))


@stage_command(webhooks, "deliveries")
async def list_deliveries(
    context: CommandContext,
    *,
    webhook_id: WebhookId,
    limit: Annotated[int, typer.Option(min=1, max=MAX_DELIVERIES, help="How many at most.")] = 20,
) -> None:
    """List a webhook's deliveries of the last 30 days, newest event first."""
    deliveries = Deliveries(Repository(context.database), _jobs(context))
    webhook = await deliveries.webhook(Endpoint(context.tenant, webhook_id))
    page = await deliveries.page(webhook.endpoint, DeliveryFilter(), limit, None)
    context.output.rows([DeliveryOut.of(delivery).model_dump() for delivery in page.deliveries], DELIVERIES)
    if page.cursor:
        context.output.warn(f"There are more: the API lists them, at /api/v1/webhooks/{webhook_id}/deliveries.")


@stage_command(webhooks, "listen")
async def listen(
    context: CommandContext,
    *,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            parser=event_filter,
            metavar="FILTER",
            help="Such as message.*; may be repeated.",
            show_default="all",
        ),
    ] = None,
) -> None:
    """Receive a tenant's events on this machine, verify and print them until Ctrl-C. For the local stack only.

    Makes a webhook, and deletes it at the end. With --json each line is an event.
    """
    if context.settings.dynamodb_endpoint is None:
        raise CommandError("A deployed stage can't call this machine: 'listen' works on the local stack only.")
    tenant = (await get_tenant(context.database, context.tenant)).tenant_id
    subscriptions = _subscriptions(context)
    _end_as_by_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    with receiving() as receiver:
        new = NewWebhook(url=receiver.url, events=events or ["*"], description="callmissed webhooks listen")
        made = await subscriptions.create(tenant, new, _LISTENER, context.clock(), Operation.new())
        try:
            receiver.secret = made.secret
            context.output.warn(f"Listening as {made.webhook.endpoint.webhook}; Ctrl-C ends it.")
            heading = True
            async for event in receiver.events():
                context.output.lines([_event_row(event)], _EVENTS, _EVENT_WIDTHS, heading=heading)
                heading = False
        finally:
            await subscriptions.delete(made.webhook.endpoint, _LISTENER, context.clock())


def _end_as_by_ctrl_c(*signals: signal.Signals) -> None:
    """Let `signals` end the command in order, so that its webhook does not stay behind."""
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, os.kill, os.getpid(), signal.SIGINT)


def _event_row(event: ReceivedEvent) -> Row:
    return {**event, "time": event.get("timestamp", ""), "data": event.get("data")}


def _subscriptions(context: CommandContext) -> Subscriptions:
    return Subscriptions(
        Repository(context.database),
        sealer=Sealer(sealing_ring(context.settings)),
        check_url=partial(checked_url, allow_loopback=True),
        queue=_jobs(context),
    )


def _jobs(context: CommandContext) -> SqsQueue:
    return SqsQueue(context.settings, DISPATCH)
