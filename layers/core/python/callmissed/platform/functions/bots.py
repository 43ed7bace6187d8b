"""The bots slice's functions and schedules."""

from callmissed.platform.functions.function import IDEMPOTENT_ANSWERS, READ, READ_WRITE, Function, Schedule
from callmissed.platform.queues.bots import TURNS
from callmissed.platform.resources import (
    CALLBACK_SECRETS,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    RESPONSES_BUCKET,
    SEALING_KEYS,
)
from callmissed.platform.tables import (
    AUDIT,
    BOTS,
    CONVERSATIONS,
    IDEMPOTENCY,
    LEDGER,
    MESSAGES,
    OUTBOX,
    TENANTS,
    WALLETS,
    WORDS,
)

_CONVERSATION_TABLES = {
    BOTS.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"),
    CONVERSATIONS.name: (*READ_WRITE, "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
    MESSAGES.name: (*READ_WRITE, "dynamodb:BatchGetItem"),
    OUTBOX.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
}
"""What the workers of messages do: events are written with the changes that they report."""

_BILLED_TABLES = {
    TENANTS.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
    WALLETS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
    LEDGER.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
}
"""What a billed call of a tenant does."""

BOTS_API = Function(
    "bots",
    slice="bots",
    handler="functions.bots.handlers.api.handler",
    dependencies="api",
    memory_mb=1024,
    tables={
        BOTS.name: (*READ_WRITE, "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
        CONVERSATIONS.name: (*READ_WRITE, "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
        MESSAGES.name: (*READ_WRITE, "dynamodb:BatchGetItem"),
        WORDS.name: ("dynamodb:Query",),
        OUTBOX.name: ("dynamodb:PutItem",),
        TENANTS.name: (*READ, "dynamodb:UpdateItem"),
        AUDIT.name: ("dynamodb:PutItem",),
        IDEMPOTENCY.name: IDEMPOTENT_ANSWERS,
    },
    indexes={CONVERSATIONS.name: ("dynamodb:Query",), MESSAGES.name: ("dynamodb:Query",)},
    needs=(SEALING_KEYS, CALLBACK_SECRETS, RESPONSES_BUCKET),
    sends_to=(TURNS.name,),
)
WHATSAPP_INBOUND = Function(
    "whatsapp-inbound",
    slice="bots",
    handler="functions.bots.handlers.whatsapp_inbound.handler",
    dependencies="publisher",
    tables=_CONVERSATION_TABLES,
    indexes={MESSAGES.name: ("dynamodb:Query",)},
    sends_to=(TURNS.name,),
)
TURN_WORKER = Function(
    "turn-worker",
    slice="bots",
    handler="functions.bots.handlers.turn_worker.handler",
    dependencies="turns",
    layers=("ai",),
    memory_mb=1024,
    timeout_seconds=120,
    tables={**_CONVERSATION_TABLES, **_BILLED_TABLES, IDEMPOTENCY.name: IDEMPOTENT_ANSWERS},
    needs=(SEALING_KEYS, PEPPERS, PROVIDER_KEYS, PROVIDERS_FILE, RESPONSES_BUCKET),
    sends_to=(TURNS.name,),
    model_actions=("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
)
CONVERSATION_DRAFTS = Function(
    "conversation-drafts",
    slice="bots",
    handler="functions.bots.handlers.conversation_drafts.handler",
    dependencies="drafts",
    layers=("ai",),
    memory_mb=1024,
    tables={
        BOTS.name: ("dynamodb:BatchGetItem",),
        CONVERSATIONS.name: ("dynamodb:GetItem",),
        MESSAGES.name: ("dynamodb:Query",),
        **_BILLED_TABLES,
        IDEMPOTENCY.name: IDEMPOTENT_ANSWERS,
    },
    needs=(SEALING_KEYS, PEPPERS, PROVIDER_KEYS, PROVIDERS_FILE, RESPONSES_BUCKET),
    model_actions=("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
)
TURN_SCHEDULER = Function(
    "turn-scheduler",
    slice="bots",
    handler="functions.bots.handlers.turn_scheduler.handler",
    dependencies="publisher",
    timeout_seconds=55,
    tables={
        CONVERSATIONS.name: ("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
        OUTBOX.name: ("dynamodb:PutItem",),
    },
    indexes={CONVERSATIONS.name: ("dynamodb:Query",)},
    sends_to=(TURNS.name,),
)
MESSAGE_INDEXER = Function(
    "message-indexer",
    slice="bots",
    handler="functions.bots.handlers.message_indexer.handler",
    dependencies="publisher",
    tables={WORDS.name: ("dynamodb:BatchWriteItem", "dynamodb:PutItem")},
    follows=MESSAGES.name,
)

FUNCTIONS = (BOTS_API, WHATSAPP_INBOUND, TURN_WORKER, CONVERSATION_DRAFTS, TURN_SCHEDULER, MESSAGE_INDEXER)
SCHEDULES = (Schedule("turn-scheduler", TURN_SCHEDULER.name, "rate(1 minute)", "see to conversations that are due"),)
