"""The bots slice's queues."""

from callmissed.platform.queues.queue import PASSING, Queue, Rule
from callmissed.platform.queues.sources import CALLBACK_SOURCE, WHATSAPP_CALLBACK

WHATSAPP = Queue(
    "whatsapp",
    consumer="whatsapp-inbound",
    visibility_seconds=180,
    tenant_data=PASSING,
    rules=(Rule(CALLBACK_SOURCE, (WHATSAPP_CALLBACK,)),),
    holds="verified callbacks of WhatsApp: messages to store and statuses to apply",
)
TURNS = Queue(
    "turns",
    consumer="turn-worker",
    visibility_seconds=720,
    tenant_data=PASSING,
    at_once=32,
    holds="conversations that wait for an answer, or whose messages wait to be sent; fair between tenants",
)

QUEUES = (WHATSAPP, TURNS)
