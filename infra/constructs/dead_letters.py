"""Queues for messages that could not be delivered or processed."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.checks import accept


def dead_letter_queue(scope: Construct, construct_id: str, name: str) -> sqs.Queue:
    """A queue of that physical name which keeps messages for the 14 days that SQS allows."""
    queue = sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        retention_period=Duration.days(14),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )
    accept(queue, "It is itself where dead letters end.", "AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy")
    return queue
