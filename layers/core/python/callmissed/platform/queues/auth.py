"""The auth slice's queue."""

from callmissed.platform.queues.queue import PASSING, Queue, Rule
from callmissed.platform.queues.sources import EVENT_SOURCE

MAILS = Queue(
    "mails",
    consumer="mailer",
    visibility_seconds=180,
    tenant_data=PASSING,
    rules=(Rule(EVENT_SOURCE, ("webhook.disabled",)),),
    holds="mails to send, with their secrets sealed, and events that an owner learns by mail",
)

QUEUES = (MAILS,)
