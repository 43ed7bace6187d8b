"""The auth slice's functions and schedules."""

from callmissed.platform.functions.function import ADMIT_KEYS, IDEMPOTENT_ANSWERS, READ, READ_WRITE, Function, Schedule
from callmissed.platform.queues.auth import MAILS
from callmissed.platform.resources import (
    ACCOUNT_SECRETS,
    PEPPERS,
    PROVIDERS_FILE,
    RESPONSES_BUCKET,
    SEALING_KEYS,
)
from callmissed.platform.tables import (
    AUDIT,
    CHALLENGES,
    DOMAINS,
    IDEMPOTENCY,
    KEYS,
    LEDGER,
    LIMITS,
    OUTBOX,
    SESSIONS,
    TENANTS,
    WALLETS,
    WEBHOOKS,
)

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
    dependencies="authorizer",
    timeout_seconds=10,
    tables={
        KEYS.name: ADMIT_KEYS,
        TENANTS.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"),
        SESSIONS.name: ("dynamodb:BatchGetItem",),
    },
    needs=(PEPPERS,),
    snap_start=True,
)
AUTH_API = Function(
    "auth",
    slice="auth",
    handler="functions.auth.handlers.api.handler",
    dependencies="auth",
    memory_mb=1024,
    tables={
        TENANTS.name: (*READ_WRITE, "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
        KEYS.name: (*READ_WRITE, "dynamodb:BatchGetItem"),
        WALLETS.name: ("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
        LEDGER.name: ("dynamodb:PutItem", "dynamodb:Query"),
        WEBHOOKS.name: ("dynamodb:UpdateItem",),
        DOMAINS.name: ("dynamodb:PutItem", "dynamodb:DeleteItem"),
        SESSIONS.name: (*READ_WRITE, "dynamodb:BatchGetItem"),
        CHALLENGES.name: ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
        LIMITS.name: ("dynamodb:UpdateItem",),
        AUDIT.name: (*READ, "dynamodb:PutItem"),
        IDEMPOTENCY.name: IDEMPOTENT_ANSWERS,
    },
    needs=(PEPPERS, SEALING_KEYS, ACCOUNT_SECRETS, PROVIDERS_FILE, RESPONSES_BUCKET),
    sends_to=(MAILS.name,),
    snap_start=True,
    settings=(
        "public_url",
        "signup_bonus_credits",
        "terms_url",
        "google_client_ids",
        "google_native_client_ids",
        "captcha",
        "console_url",
        "passkey_rp_id",
    ),
)
MAILER = Function(
    "mailer",
    slice="auth",
    handler="functions.auth.handlers.mailer.handler",
    dependencies="auth",
    tables={
        TENANTS.name: ("dynamodb:GetItem",),
        OUTBOX.name: ("dynamodb:GetItem",),
        LIMITS.name: ("dynamodb:UpdateItem",),
    },
    needs=(SEALING_KEYS, ACCOUNT_SECRETS),
    settings=("console_url", "mail_transport", "mail_from", "smtp_url"),
    sends_mail=True,
)

FUNCTIONS = (KEY_EXPIRY, AUTHORIZER, AUTH_API, MAILER)
SCHEDULES = (Schedule("key-expiry", KEY_EXPIRY.name, "rate(1 hour)", "publish that API keys have expired"),)
