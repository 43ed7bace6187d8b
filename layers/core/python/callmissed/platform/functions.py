"""The deployable functions with what each may do to which table, and the schedules that call them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callmissed.platform.queues import DISPATCH
from callmissed.platform.tables import (
    DELIVERIES,
    IDEMPOTENCY,
    KEYS,
    LEDGER,
    ORIGINS,
    OUTBOX,
    TENANTS,
    WALLETS,
    WEBHOOKS,
)

READ = ("dynamodb:GetItem", "dynamodb:Query")
_READ_WRITE = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query")
_IDEMPOTENCY = ("dynamodb:PutItem", "dynamodb:UpdateItem")


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function.

    `web_app` names an ASGI application that runs under uvicorn behind the Lambda Web Adapter and streams;
    `handler` a plain Lambda handler; exactly one of them is set. `tables` maps a table's name to the DynamoDB
    actions its role allows, which hold for the table's index too. `follows` names the table whose stream calls the
    function; the queues that call it name it as their consumer. `sends_to` names the queues that it may write to,
    `publishes` allows events on the bus. `unseals` gives it the sealing keys, `keeps_responses` the bucket for long
    answers to requests with an Idempotency-Key.
    """

    name: str
    slice: str
    web_app: str | None = None
    handler: str | None = None
    memory_mb: int = 512
    timeout_seconds: int = 30
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    follows: str | None = None
    sends_to: tuple[str, ...] = ()
    publishes: bool = False
    reads_pepper: bool = False
    reads_providers: bool = False
    unseals: bool = False
    keeps_responses: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function called on time by EventBridge Scheduler with `{"schedule": name, "at": ISO time}`."""

    name: str
    function: str
    expression: str
    meaning: str


INFERENCE = Function(
    "inference",
    slice="inference",
    web_app="functions.inference.app:app",
    memory_mb=1024,
    timeout_seconds=900,
    tables={
        KEYS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:DeleteItem"),
        WALLETS.name: ("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
        LEDGER.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
        TENANTS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
        ORIGINS.name: ("dynamodb:BatchGetItem",),
        IDEMPOTENCY.name: _IDEMPOTENCY,
    },
    keeps_responses=True,
    reads_pepper=True,
    reads_providers=True,
)
LEDGER_SWEEP = Function(
    "ledger-sweep",
    slice="billing",
    handler="functions.billing.sweep.handler",
    timeout_seconds=55,
    tables={
        WALLETS.name: ("dynamodb:Scan", "dynamodb:UpdateItem"),
        LEDGER.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
    },
)
LEDGER_RECONCILE = Function(
    "ledger-reconcile",
    slice="billing",
    handler="functions.billing.reconcile.handler",
    memory_mb=1024,
    timeout_seconds=900,
    tables={
        WALLETS.name: ("dynamodb:Scan", "dynamodb:GetItem"),
        LEDGER.name: READ,
        TENANTS.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
    },
)

LEDGER_EVENTS = Function(
    "ledger-events",
    slice="billing",
    handler="functions.billing.events.handler",
    tables={WALLETS.name: ("dynamodb:BatchGetItem",), OUTBOX.name: ("dynamodb:PutItem",)},
    follows=LEDGER.name,
)
KEY_EXPIRY = Function(
    "key-expiry",
    slice="auth",
    handler="functions.auth.expiry.handler",
    timeout_seconds=300,
    tables={KEYS.name: ("dynamodb:Scan",), TENANTS.name: ("dynamodb:GetItem",), OUTBOX.name: ("dynamodb:PutItem",)},
)
AUTHORIZER = Function(
    "authorizer",
    slice="auth",
    handler="functions.auth.authorizer.handler",
    timeout_seconds=10,
    tables={KEYS.name: INFERENCE.tables[KEYS.name], TENANTS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem")},
    reads_pepper=True,
)
WEBHOOKS_API = Function(
    "webhooks",
    slice="webhooks",
    handler="functions.webhooks.handlers.api.handler",
    memory_mb=1024,
    tables={
        WEBHOOKS.name: _READ_WRITE,
        DELIVERIES.name: (*READ, "dynamodb:PutItem", "dynamodb:UpdateItem"),
        OUTBOX.name: ("dynamodb:GetItem",),
        IDEMPOTENCY.name: _IDEMPOTENCY,
    },
    sends_to=(DISPATCH.name,),
    unseals=True,
    keeps_responses=True,
)
CALLBACKS_API = Function(
    "callbacks",
    slice="webhooks",
    handler="functions.webhooks.handlers.callbacks_api.handler",
    memory_mb=1024,
    timeout_seconds=10,
    tables={TENANTS.name: ("dynamodb:GetItem",), OUTBOX.name: ("dynamodb:PutItem",)},
    reads_providers=True,
    unseals=True,
)
CALLBACK_WORKER = Function(
    "callback-worker",
    slice="webhooks",
    handler="functions.webhooks.handlers.callback_worker.handler",
    tables={OUTBOX.name: ("dynamodb:GetItem", "dynamodb:PutItem")},
)
EVENT_RELAY = Function(
    "event-relay",
    slice="webhooks",
    handler="functions.webhooks.handlers.relay.handler",
    follows=OUTBOX.name,
    publishes=True,
)
EVENT_FANOUT = Function(
    "event-fanout",
    slice="webhooks",
    handler="functions.webhooks.handlers.fanout.handler",
    tables={WEBHOOKS.name: ("dynamodb:Query",), DELIVERIES.name: ("dynamodb:PutItem", "dynamodb:UpdateItem")},
    sends_to=(DISPATCH.name,),
)
WEBHOOK_SENDER = Function(
    "webhook-sender",
    slice="webhooks",
    handler="functions.webhooks.handlers.sender.handler",
    timeout_seconds=60,
    tables={
        WEBHOOKS.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"),
        DELIVERIES.name: (*_READ_WRITE, "dynamodb:BatchGetItem"),
        OUTBOX.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"),
    },
    sends_to=(DISPATCH.name,),
    unseals=True,
)
WEBHOOK_SCHEDULER = Function(
    "webhook-scheduler",
    slice="webhooks",
    handler="functions.webhooks.handlers.scheduler.handler",
    timeout_seconds=55,
    tables={DELIVERIES.name: ("dynamodb:Query", "dynamodb:UpdateItem")},
    sends_to=(DISPATCH.name,),
)

FUNCTIONS = (
    INFERENCE,
    LEDGER_SWEEP,
    LEDGER_RECONCILE,
    LEDGER_EVENTS,
    KEY_EXPIRY,
    AUTHORIZER,
    WEBHOOKS_API,
    CALLBACKS_API,
    CALLBACK_WORKER,
    EVENT_RELAY,
    EVENT_FANOUT,
    WEBHOOK_SENDER,
    WEBHOOK_SCHEDULER,
)

SCHEDULES = (
    Schedule("hold-sweep", LEDGER_SWEEP.name, "rate(1 minute)", "resolve holds whose call never settled"),
    Schedule("ledger-reconcile", LEDGER_RECONCILE.name, "cron(30 20 * * ? *)", "compare wallets with their entries"),
    Schedule("webhook-scheduler", WEBHOOK_SCHEDULER.name, "rate(1 minute)", "enqueue deliveries that are due"),
    Schedule("key-expiry", KEY_EXPIRY.name, "rate(1 hour)", "tell of API keys that have expired"),
)
