"""The auth slice's queue."""

from callmissed.platform.queues.queue import PASSING, Queue

MAILS = Queue(
    "mails",
    consumer="mailer",
    visibility_seconds=180,
    tenant_data=PASSING,
    holds="mails to send, with their secrets sealed",
)

QUEUES = (MAILS,)
