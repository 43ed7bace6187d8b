"""The SQS queues and the event rules that fill them. Every queue has a dead-letter queue beside it, `<name>-dead`."""

from callmissed.platform.queues import auth, billing, bots, webhooks
from callmissed.platform.queues.auth import MAILS
from callmissed.platform.queues.queue import PASSING, UNDELIVERED, Queue, Rule, physical_queue_name
from callmissed.platform.queues.sources import CALLBACK_SOURCE, EVENT_SOURCE
from callmissed.platform.queues.webhooks import CALLBACKS, DISPATCH, FANOUT

QUEUES = (*webhooks.QUEUES, *auth.QUEUES, *bots.QUEUES, *billing.QUEUES)

__all__ = [
    "CALLBACKS",
    "CALLBACK_SOURCE",
    "DISPATCH",
    "EVENT_SOURCE",
    "FANOUT",
    "MAILS",
    "PASSING",
    "QUEUES",
    "UNDELIVERED",
    "Queue",
    "Rule",
    "physical_queue_name",
]
