"""The SQS queues, and what ends in them. Every queue has a dead-letter queue beside it, `<name>-dead`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """A standard queue whose messages one function works off, `batch` at a time.

    A message that its consumer fails `tries` times goes to the dead-letter queue. The event bus puts
    the events of `sources` into it. `visibility_seconds` is at least six times the consumer's timeout, as AWS asks:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """

    name: str
    consumer: str
    visibility_seconds: int
    batch: int = 10
    tries: int = 5
    sources: tuple[str, ...] = ()
    holds: str = ""

    @property
    def dead_letters(self) -> str:
        """Name of the dead-letter queue."""
        return f"{self.name}-dead"


EVENT_SOURCE = "callmissed.events"
"""Source, on the bus, of the events that tenants subscribe to."""

CALLBACK_SOURCE = "callmissed.callbacks"
"""Source, on the bus, of what providers sent us, verified."""

FANOUT = Queue(
    "event-fanout",
    consumer="event-fanout",
    visibility_seconds=180,
    sources=(EVENT_SOURCE,),
    holds="events whose webhooks are to be found",
)
DISPATCH = Queue(
    "webhook-dispatch",
    consumer="webhook-sender",
    visibility_seconds=360,
    holds="deliveries to attempt now, lanes to look at, replays to go on with; fair between tenants",
)
CALLBACKS = Queue(
    "callbacks",
    consumer="callback-worker",
    visibility_seconds=180,
    sources=(CALLBACK_SOURCE,),
    holds="verified callbacks of providers",
)

QUEUES = (FANOUT, DISPATCH, CALLBACKS)


def physical_queue_name(stage: str, name: str) -> str:
    """Name in `stage` of the queue, or dead-letter queue, that is declared as `name`."""
    return f"callmissed-{stage}-{name}"
