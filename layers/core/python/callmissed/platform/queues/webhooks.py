"""The webhooks slice's queues."""

from callmissed.platform.queues.queue import PASSING, Queue, Rule
from callmissed.platform.queues.sources import CALLBACK_SOURCE, EVENT_SOURCE, OTHER_CALLBACKS

FANOUT = Queue(
    "event-fanout",
    consumer="event-fanout",
    visibility_seconds=180,
    tenant_data=PASSING,
    rules=(Rule(EVENT_SOURCE),),
    holds="events whose webhooks are to be found",
)
DISPATCH = Queue(
    "webhook-dispatch",
    consumer="webhook-sender",
    visibility_seconds=360,
    tenant_data=PASSING,
    holds="deliveries to attempt now, parked ones to send, replays to continue; fair between tenants",
)
CALLBACKS = Queue(
    "callbacks",
    consumer="callback-worker",
    visibility_seconds=180,
    tenant_data=PASSING,
    rules=(Rule(CALLBACK_SOURCE, OTHER_CALLBACKS),),
    holds="verified callbacks of Twilio",
)

QUEUES = (FANOUT, DISPATCH, CALLBACKS)
