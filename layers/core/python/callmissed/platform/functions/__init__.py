"""The deployable functions with their rights to tables and resources, and the schedules that call them."""

from callmissed.platform.functions import auth, billing, bots, inference, webhooks
from callmissed.platform.functions.auth import AUTH_API, AUTHORIZER, KEY_EXPIRY, MAILER
from callmissed.platform.functions.billing import (
    BILLING_API,
    LEDGER_EVENTS,
    LEDGER_RECONCILE,
    LEDGER_SWEEP,
    ORDER_SWEEP,
    PAYMENT_WORKER,
)
from callmissed.platform.functions.bots import BOTS_API, CONVERSATION_DRAFTS, TURN_WORKER
from callmissed.platform.functions.function import BEDROCK_MODELS_VARIABLE, Function, Schedule
from callmissed.platform.functions.inference import FILES_SWEEP, INFERENCE
from callmissed.platform.functions.webhooks import (
    CALLBACK_WORKER,
    CALLBACKS_API,
    EVENT_FANOUT,
    EVENT_RELAY,
    WEBHOOK_SCHEDULER,
    WEBHOOK_SENDER,
    WEBHOOKS_API,
)

FUNCTIONS = (*inference.FUNCTIONS, *billing.FUNCTIONS, *auth.FUNCTIONS, *webhooks.FUNCTIONS, *bots.FUNCTIONS)
SCHEDULES = (*inference.SCHEDULES, *billing.SCHEDULES, *webhooks.SCHEDULES, *auth.SCHEDULES, *bots.SCHEDULES)

__all__ = [
    "AUTHORIZER",
    "AUTH_API",
    "BEDROCK_MODELS_VARIABLE",
    "BILLING_API",
    "BOTS_API",
    "CALLBACKS_API",
    "CALLBACK_WORKER",
    "CONVERSATION_DRAFTS",
    "EVENT_FANOUT",
    "EVENT_RELAY",
    "FILES_SWEEP",
    "FUNCTIONS",
    "INFERENCE",
    "KEY_EXPIRY",
    "LEDGER_EVENTS",
    "LEDGER_RECONCILE",
    "LEDGER_SWEEP",
    "MAILER",
    "ORDER_SWEEP",
    "PAYMENT_WORKER",
    "SCHEDULES",
    "TURN_WORKER",
    "WEBHOOKS_API",
    "WEBHOOK_SCHEDULER",
    "WEBHOOK_SENDER",
    "Function",
    "Schedule",
]
