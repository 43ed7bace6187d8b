"""The deployable functions with what each may do to which table, and the schedules that call them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callmissed.platform.tables import KEYS, LEDGER, ORIGINS, TENANTS, WALLETS

READ = ("dynamodb:GetItem", "dynamodb:Query")


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function.

    `web_app` names an ASGI application that runs under uvicorn behind the Lambda Web Adapter and streams;
    `handler` a plain Lambda handler; exactly one of them is set. `tables` maps a table's name to the DynamoDB
    actions its role allows.
    """

    name: str
    slice: str
    web_app: str | None = None
    handler: str | None = None
    memory_mb: int = 512
    timeout_seconds: int = 30
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    reads_pepper: bool = False
    reads_providers: bool = False


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
    },
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

FUNCTIONS = (INFERENCE, LEDGER_SWEEP, LEDGER_RECONCILE)

SCHEDULES = (
    Schedule("hold-sweep", LEDGER_SWEEP.name, "rate(1 minute)", "resolve holds whose call never settled"),
    Schedule("ledger-reconcile", LEDGER_RECONCILE.name, "cron(30 20 * * ? *)", "compare wallets with their entries"),
)
