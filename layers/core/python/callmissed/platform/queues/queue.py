"""An SQS queue and what the event bus puts into it, as the slices declare them."""

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


def physical_queue_name(stage: str, name: str) -> str:
    """Name in `stage` of the queue, or dead-letter queue, that is declared as `name`."""
    return f"callmissed-{stage}-{name}"
