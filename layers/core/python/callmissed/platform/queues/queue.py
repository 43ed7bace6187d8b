"""An SQS queue and its rules of the event bus, as the slices declare them."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from callmissed.platform.tenant_data import TenantData, expires

PASSING = expires(14)
"""Data of a queue's messages: SQS keeps a dead letter for 14 days, and a message for 4."""

UNDELIVERED = "undelivered"
"""Name of the queue of what neither the event bus nor the scheduler could deliver."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Events that the bus puts into a queue: those of `source` whose type is in `detail_types`, or all if it is empty.

    Put all types of one source into one rule: an event that matches two rules of a queue is delivered twice.
    """

    source: str
    detail_types: tuple[str, ...] = ()

    @property
    def pattern(self) -> dict[str, list[str]]:
        """EventBridge's event pattern. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html"""
        types = {"detail-type": list(self.detail_types)} if self.detail_types else {}
        return {"source": [self.source], **types}


@dataclass(frozen=True, slots=True)
class Queue:
    """A standard queue whose messages one function processes, `batch` at a time.

    A message that fails `tries` times goes to the dead-letter queue. The event bus puts the events that
    `rules` match into the queue. The local stack processes so many batches `at_once`, where Lambda scales by itself.
    `visibility_seconds` is at least six times the consumer's timeout, as AWS asks:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """

    name: str
    consumer: str
    visibility_seconds: int
    _: KW_ONLY
    tenant_data: TenantData
    batch: int = 10
    tries: int = 5
    at_once: int = 1
    rules: tuple[Rule, ...] = ()
    holds: str = ""

    @property
    def dead_letters(self) -> str:
        """Name of the dead-letter queue."""
        return f"{self.name}-dead"

    def takes(self, source: str, detail_type: str) -> bool:
        """Whether the event bus puts events of this source and type into the queue."""
        return any(
            rule.source == source and detail_type in (rule.detail_types or (detail_type,)) for rule in self.rules
        )

    def named_rules(self) -> Iterator[tuple[str, Rule]]:
        """The rules with their names. The first rule has the queue's name, the others add their number."""
        for number, rule in enumerate(self.rules, start=1):
            yield (self.name if number == 1 else f"{self.name}-{number}"), rule


def physical_queue_name(stage: str, name: str) -> str:
    """Name in `stage` of the queue, or dead-letter queue, that is declared as `name`."""
    return f"callmissed-{stage}-{name}"
