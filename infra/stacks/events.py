"""The event bus, the declared queues, and the queue for what neither bus nor scheduler could deliver."""

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from callmissed.platform.queues import UNDELIVERED, Rule, physical_queue_name
from callmissed.platform.resources import EVENT_BUS
from infra.config import StageConfig
from infra.constructs.dead_letters import dead_letter_queue
from infra.constructs.work_queue import WorkQueue
from infra.declarations import Declarations


class EventsStack(Stack):
    """`undelivered`: dead letters of bus and scheduler."""

    def __init__(self, scope: Construct, config: StageConfig, declared: Declarations) -> None:
        super().__init__(
            scope,
            "events",
            stack_name=config.named("events"),
            env=config.environment,
            description="CallMissed: event bus, queues, undelivered events",
        )
        self.undelivered = dead_letter_queue(self, "Undelivered", physical_queue_name(config.stage, UNDELIVERED))
        bus = events.EventBus(
            self,
            "Bus",
            event_bus_name=EVENT_BUS.physical_name(config.stage),
            description="Platform events",
            dead_letter_queue=self.undelivered,
        )
        self._accept_dead_letters(bus)
        for queue in [WorkQueue(self, queue, config.stage) for queue in declared.queues]:
            for name, rule in queue.declared.named_rules():
                self._route(bus, queue, config, name, rule)

    def _accept_dead_letters(self, bus: events.EventBus) -> None:
        """Rules and schedules bring their right to the queue with them, the bus does not."""
        sending = iam.PolicyStatement(
            actions=["sqs:SendMessage"],
            principals=[iam.ServicePrincipal("events.amazonaws.com")],  # pyright: ignore[reportArgumentType]
            resources=[self.undelivered.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": bus.event_bus_arn}},
        )
        self.undelivered.add_to_resource_policy(sending)

    def _route(self, bus: events.EventBus, queue: WorkQueue, config: StageConfig, name: str, rule: Rule) -> None:
        """Let `bus` put into `queue` the events that `rule` matches."""
        events.Rule(
            self,
            f"Rule-{name}",
            rule_name=config.named(name),
            description=queue.declared.holds,
            event_bus=bus,  # pyright: ignore[reportArgumentType]
            event_pattern=events.EventPattern(source=[rule.source], detail_type=list(rule.detail_types) or None),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.undelivered)],  # pyright: ignore[reportArgumentType]
        )
