"""The event bus and the queues, and each function's permission to send to exactly the queues that it declares."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import Function
from callmissed.platform.resources import EVENT_BUS, Resource
from infra.config import StageConfig
from infra.constructs.locations import Location, bus_location
from infra.constructs.permissions import allow
from infra.constructs.work_queue import WorkQueue


@dataclass(frozen=True, slots=True)
class Channels:
    """The event bus, and the queues by declared name."""

    bus: events.EventBus
    queues: Mapping[str, WorkQueue]

    @property
    def locations(self) -> Mapping[Resource, Location]:
        """Where the resources of this stack are."""
        return {EVENT_BUS: bus_location(self.bus)}


def environment(declared: Function, config: StageConfig) -> dict[str, str]:
    """The environment variables by which `declared` finds its queues; it makes the bus's name from the stage."""
    if not declared.sends_to:
        return {}
    return {"CALLMISSED_QUEUE_BASE": f"https://sqs.{config.region}.{Aws.URL_SUFFIX}/{Aws.ACCOUNT_ID}"}


def grant(role: iam.Role, declared: Function, channels: Channels) -> None:
    """Allow `role` to send to the declared queues, and to no other."""
    for name in declared.sends_to:
        allow(role, channels.queues[name].queue.queue_arn, "sqs:SendMessage")
