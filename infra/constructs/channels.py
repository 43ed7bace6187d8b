"""Each function's permission to send to exactly the queues that it declares."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import Function
from infra.config import StageConfig
from infra.constructs.locations import queue_arn
from infra.constructs.permissions import allow


def environment(declared: Function, config: StageConfig) -> dict[str, str]:
    """The environment variables by which `declared` finds its queues; it makes the bus's name from the stage."""
    if not declared.sends_to:
        return {}
    return {"CALLMISSED_QUEUE_BASE": f"https://sqs.{config.region}.{Aws.URL_SUFFIX}/{Aws.ACCOUNT_ID}"}


def grant(role: iam.Role, declared: Function, config: StageConfig) -> None:
    """Allow `role` to send to the declared queues, and to no other."""
    for name in declared.sends_to:
        allow(role, queue_arn(name, config), "sqs:SendMessage")
