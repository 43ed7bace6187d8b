"""The billing slice's queues."""

from callmissed.platform.queues.queue import PASSING, Queue, Rule
from callmissed.platform.queues.sources import CALLBACK_SOURCE, CASHFREE_CALLBACK

PAYMENTS = Queue(
    "payments",
    consumer="payment-worker",
    visibility_seconds=180,
    tenant_data=PASSING,
    rules=(Rule(CALLBACK_SOURCE, (CASHFREE_CALLBACK,)),),
    holds="verified callbacks of the payment gateway: payments to settle, refunds and disputes to record",
)

QUEUES = (PAYMENTS,)
