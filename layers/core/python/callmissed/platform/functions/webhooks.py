"""The webhooks slice's functions and schedules."""

from callmissed.platform.functions.function import IDEMPOTENT_ANSWERS, READ, READ_WRITE, Function, Schedule
from callmissed.platform.queues.webhooks import DISPATCH
from callmissed.platform.resources import EVENT_BUS, PAYMENT_SECRETS, RESPONSES_BUCKET, SEALING_KEYS
from callmissed.platform.tables import AUDIT, BOTS, DELIVERIES, IDEMPOTENCY, OUTBOX, TENANTS, WEBHOOKS

WEBHOOKS_API = Function(
    "webhooks",
    slice="webhooks",
    handler="functions.webhooks.handlers.api.handler",
    dependencies="api",
    memory_mb=1024,
    tables={
        WEBHOOKS.name: READ_WRITE,
        DELIVERIES.name: (*READ, "dynamodb:PutItem", "dynamodb:UpdateItem"),
        OUTBOX.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
        TENANTS.name: ("dynamodb:GetItem",),
        BOTS.name: ("dynamodb:GetItem",),
        AUDIT.name: ("dynamodb:PutItem",),
        IDEMPOTENCY.name: IDEMPOTENT_ANSWERS,
    },
    needs=(SEALING_KEYS, RESPONSES_BUCKET),
    sends_to=(DISPATCH.name,),
    snap_start=True,
)
CALLBACKS_API = Function(
    "callbacks",
    slice="webhooks",
    handler="functions.webhooks.handlers.callbacks_api.handler",
    dependencies="callbacks",
    memory_mb=1024,
    timeout_seconds=10,
    tables={TENANTS.name: ("dynamodb:GetItem",), OUTBOX.name: ("dynamodb:PutItem",)},
    needs=(SEALING_KEYS, PAYMENT_SECRETS),
    settings=("public_url",),
)
CALLBACK_WORKER = Function(
    "callback-worker",
    slice="webhooks",
    handler="functions.webhooks.handlers.callback_worker.handler",
    dependencies="publisher",
    tables={OUTBOX.name: ("dynamodb:GetItem", "dynamodb:PutItem")},
)
EVENT_RELAY = Function(
    "event-relay",
    slice="webhooks",
    handler="functions.webhooks.handlers.relay.handler",
    needs=(EVENT_BUS,),
    follows=OUTBOX.name,
)
EVENT_FANOUT = Function(
    "event-fanout",
    slice="webhooks",
    handler="functions.webhooks.handlers.fanout.handler",
    dependencies="publisher",
    tables={WEBHOOKS.name: ("dynamodb:Query",), DELIVERIES.name: ("dynamodb:PutItem", "dynamodb:UpdateItem")},
    sends_to=(DISPATCH.name,),
)
WEBHOOK_SENDER = Function(
    "webhook-sender",
    slice="webhooks",
    handler="functions.webhooks.handlers.sender.handler",
    dependencies="sender",
    timeout_seconds=60,
    tables={
        WEBHOOKS.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"),
        DELIVERIES.name: (*READ_WRITE, "dynamodb:BatchGetItem"),
        OUTBOX.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"),
    },
    indexes={DELIVERIES.name: ("dynamodb:Query",)},
    needs=(SEALING_KEYS,),
    sends_to=(DISPATCH.name,),
)
WEBHOOK_SCHEDULER = Function(
    "webhook-scheduler",
    slice="webhooks",
    handler="functions.webhooks.handlers.scheduler.handler",
    dependencies="publisher",
    timeout_seconds=55,
    tables={DELIVERIES.name: ("dynamodb:UpdateItem",)},
    indexes={DELIVERIES.name: ("dynamodb:Query",)},
    sends_to=(DISPATCH.name,),
)

FUNCTIONS = (
    WEBHOOKS_API,
    CALLBACKS_API,
    CALLBACK_WORKER,
    EVENT_RELAY,
    EVENT_FANOUT,
    WEBHOOK_SENDER,
    WEBHOOK_SCHEDULER,
)
SCHEDULES = (
    Schedule("webhook-scheduler", WEBHOOK_SCHEDULER.name, "rate(1 minute)", "enqueue deliveries that are due"),
)
