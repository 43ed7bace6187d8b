"""The billing slice's functions and schedules."""

from callmissed.platform.functions.function import READ, Function, Schedule
from callmissed.platform.tables import KEYS, LEDGER, OUTBOX, TENANTS, WALLETS

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
        TENANTS.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
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

FUNCTIONS = (LEDGER_SWEEP, LEDGER_RECONCILE, LEDGER_EVENTS)
SCHEDULES = (
    Schedule("hold-sweep", LEDGER_SWEEP.name, "rate(1 minute)", "resolve holds whose call never settled"),
    Schedule("ledger-reconcile", LEDGER_RECONCILE.name, "cron(30 20 * * ? *)", "compare wallets with their entries"),
)
