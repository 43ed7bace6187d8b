"""The event bus, and the queue for what neither it nor the scheduler could deliver."""

from aws_cdk import Stack
from aws_cdk import aws_events as events
from constructs import Construct

from infra.config import StageConfig
from infra.constructs.dead_letters import dead_letter_queue


class EventsStack(Stack):
    """`bus` for platform events and `undelivered`, the dead-letter queue of bus and scheduler."""

    def __init__(self, scope: Construct, config: StageConfig) -> None:
        super().__init__(
            scope,
            "events",
            stack_name=config.named("events"),
            env=config.environment,
            description="CallMissed: event bus and undelivered events",
        )
        self.undelivered = dead_letter_queue(self, "Undelivered", config.named("undelivered"))
        self.bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=config.service,
            description="Platform events",
            dead_letter_queue=self.undelivered,
        )
