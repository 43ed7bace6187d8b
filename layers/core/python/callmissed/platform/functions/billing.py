"""The billing slice's functions and schedules."""

from callmissed.platform.functions.function import IDEMPOTENT_ANSWERS, READ, READ_WRITE, Function, Schedule
from callmissed.platform.resources import PAYMENT_SECRETS, PROVIDERS_FILE, RESPONSES_BUCKET, SEALING_KEYS
from callmissed.platform.tables import AUDIT, BILLING, IDEMPOTENCY, KEYS, LEDGER, LIMITS, OUTBOX, TENANTS, WALLETS

LEDGER_SWEEP = Function(
    "ledger-sweep",
    slice="billing",
    handler="functions.billing.handlers.ledger_sweep.handler",
    timeout_seconds=55,
    tables={
        WALLETS.name: ("dynamodb:Scan", "dynamodb:UpdateItem"),
        LEDGER.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
        KEYS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
        TENANTS.name: ("dynamodb:Query",),
    },
)
LEDGER_RECONCILE = Function(
    "ledger-reconcile",
    slice="billing",
    handler="functions.billing.handlers.ledger_reconcile.handler",
    memory_mb=1024,
    timeout_seconds=900,
    tables={
        WALLETS.name: ("dynamodb:Scan", "dynamodb:GetItem"),
        LEDGER.name: READ,
        TENANTS.name: (*READ, "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"),
    },
)
LEDGER_EVENTS = Function(
    "ledger-events",
    slice="billing",
    handler="functions.billing.handlers.ledger_events.handler",
    dependencies="publisher",
    tables={WALLETS.name: ("dynamodb:BatchGetItem",), OUTBOX.name: ("dynamodb:PutItem",)},
    follows=LEDGER.name,
    settings=("low_credits",),
)

_SETTLEMENT_TABLES = {
    BILLING.name: (*READ_WRITE, "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
    WALLETS.name: ("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
    LEDGER.name: (*READ, "dynamodb:PutItem"),
    TENANTS.name: (*READ_WRITE, "dynamodb:ConditionCheckItem"),
    OUTBOX.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
    KEYS.name: ("dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
    AUDIT.name: ("dynamodb:PutItem",),
}
"""What settles an order: its credits and its event are written with it, and its plan reaches wallets and keys."""

BILLING_API = Function(
    "billing",
    slice="billing",
    handler="functions.billing.handlers.api.handler",
    dependencies="api",
    memory_mb=1024,
    tables={
        **_SETTLEMENT_TABLES,
        TENANTS.name: (*READ_WRITE, "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem"),
        LIMITS.name: ("dynamodb:UpdateItem",),
        IDEMPOTENCY.name: IDEMPOTENT_ANSWERS,
    },
    indexes={BILLING.name: ("dynamodb:Query",)},
    needs=(SEALING_KEYS, PAYMENT_SECRETS, PROVIDERS_FILE, RESPONSES_BUCKET),
    writes=(PROVIDERS_FILE,),
    settings=("console_url",),
)
PAYMENT_WORKER = Function(
    "payment-worker",
    slice="billing",
    handler="functions.billing.handlers.payment_worker.handler",
    dependencies="publisher",
    tables=_SETTLEMENT_TABLES,
    indexes={BILLING.name: ("dynamodb:Query",)},
    needs=(PAYMENT_SECRETS,),
)
ORDER_SWEEP = Function(
    "order-sweep",
    slice="billing",
    handler="functions.billing.handlers.order_sweep.handler",
    dependencies="publisher",
    timeout_seconds=55,
    tables=_SETTLEMENT_TABLES,
    indexes={BILLING.name: ("dynamodb:Query",)},
    needs=(PAYMENT_SECRETS,),
    settings=("console_url",),
)
SUBSCRIPTION_SWEEP = Function(
    "subscription-sweep",
    slice="billing",
    handler="functions.billing.handlers.subscription_sweep.handler",
    timeout_seconds=55,
    tables={
        BILLING.name: ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:ConditionCheckItem"),
        WALLETS.name: ("dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
        LEDGER.name: ("dynamodb:PutItem",),
        TENANTS.name: (*READ, "dynamodb:PutItem", "dynamodb:UpdateItem"),
        KEYS.name: ("dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
        AUDIT.name: ("dynamodb:PutItem",),
    },
    indexes={BILLING.name: ("dynamodb:Query",)},
)
MONTH_TURN = Function(
    "month-turn",
    slice="billing",
    handler="functions.billing.handlers.month_turn.handler",
    memory_mb=1024,
    timeout_seconds=900,
    tables={
        WALLETS.name: ("dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
        LEDGER.name: ("dynamodb:PutItem",),
    },
)

FUNCTIONS = (
    LEDGER_SWEEP,
    LEDGER_RECONCILE,
    LEDGER_EVENTS,
    BILLING_API,
    PAYMENT_WORKER,
    ORDER_SWEEP,
    SUBSCRIPTION_SWEEP,
    MONTH_TURN,
)
SCHEDULES = (
    Schedule("hold-sweep", LEDGER_SWEEP.name, "rate(1 minute)", "resolve holds whose call never settled"),
    Schedule("ledger-reconcile", LEDGER_RECONCILE.name, "cron(30 20 * * ? *)", "compare wallets with their entries"),
    Schedule("order-sweep", ORDER_SWEEP.name, "rate(5 minutes)", "ask the payment gateway about unpaid orders"),
    Schedule(
        "subscription-sweep",
        SUBSCRIPTION_SWEEP.name,
        "rate(5 minutes)",
        "end periods of plans, and complete changes of plans that were interrupted",
    ),
    Schedule(
        "month-turn",
        MONTH_TURN.name,
        "cron(0/15 0-3 1 * ? *)",
        "start the month in the wallets of tenants on paid plans",
    ),
)
