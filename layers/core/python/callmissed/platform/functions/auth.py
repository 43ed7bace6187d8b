"""The auth slice's functions and schedules."""

from callmissed.platform.functions.function import ADMIT_KEYS, Function, Schedule
from callmissed.platform.resources import PEPPERS
from callmissed.platform.tables import KEYS, OUTBOX, TENANTS

KEY_EXPIRY = Function(
    "key-expiry",
    slice="auth",
    handler="functions.auth.handlers.key_expiry.handler",
    dependencies="publisher",
    timeout_seconds=300,
    tables={KEYS.name: ("dynamodb:Scan",), TENANTS.name: ("dynamodb:GetItem",), OUTBOX.name: ("dynamodb:PutItem",)},
)
AUTHORIZER = Function(
    "authorizer",
    slice="auth",
    handler="functions.auth.handlers.authorizer.handler",
    timeout_seconds=10,
    tables={KEYS.name: ADMIT_KEYS, TENANTS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem")},
    needs=(PEPPERS,),
    snap_start=True,
)

FUNCTIONS = (KEY_EXPIRY, AUTHORIZER)
SCHEDULES = (Schedule("key-expiry", KEY_EXPIRY.name, "rate(1 hour)", "publish that API keys have expired"),)
