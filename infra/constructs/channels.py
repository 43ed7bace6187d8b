"""What functions send to, and each function's right to send to exactly its share of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import Function
from infra.config import StageConfig
from infra.constructs.rights import allow
from infra.constructs.work_queue import WorkQueue


@dataclass(frozen=True, slots=True)
class Channels:
    """The event bus, and the queues by declared name."""

    bus: events.EventBus
    queues: Mapping[str, WorkQueue]


def environment(declared: Function, config: StageConfig) -> dict[str, str]:
    """The environment variables by which `declared` finds its queues; it makes the bus's name from the stage."""
    if not declared.sends_to:
        return {}
    return {"CALLMISSED_QUEUE_BASE": f"https://sqs.{config.region}.{Aws.URL_SUFFIX}/{Aws.ACCOUNT_ID}"}


def grant(role: iam.Role, declared: Function, channels: Channels) -> None:
    """Allow `role` to send where `declared` says it sends, and nowhere else."""
    for name in declared.sends_to:
        allow(role, channels.queues[name].queue.queue_arn, "sqs:SendMessage")
    if declared.publishes:
        allow(role, channels.bus.event_bus_arn, "events:PutEvents")
