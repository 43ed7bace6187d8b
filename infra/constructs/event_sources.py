"""Event sources of a worker: its queues, and the stream of the table that it follows."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from callmissed.platform.queues import DISPATCH, Queue
from infra.config import StageConfig
from infra.constructs.access import allow
from infra.constructs.checks import accept
from infra.constructs.locations import queue_arn
from infra.constructs.python_function import PythonFunction

_INSERTS = lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})
"""Only new items are events. Later updates of an item and its expiry are not."""

_RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_READ_STREAM = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords", "dynamodb:ListStreams")

_MAX_ATTEMPTS = 100
_MAX_RECORD_AGE = Duration.hours(6)
"""Limits for a record that keeps failing. The record leaves the stream long before the stream's 24 hours are over.
An outage of minutes uses fewer attempts, and a record that waits while no function is called uses none."""

_PARALLEL_BATCHES = 10
"""Concurrent batches of one shard. Records of one partition key stay in order."""


def consume_queue(worker: PythonFunction, source: Queue, config: StageConfig) -> None:
    """Let `source` call `worker`."""
    arn = queue_arn(source.name, config)
    allow(worker.role, arn, *_RECEIVE)
    max_concurrency = config.webhooks_at_once if source is DISPATCH else None
    mapping = worker.alias.add_event_source_mapping(
        f"Queue-{source.name}",
        event_source_arn=arn,
        batch_size=source.batch,
        max_concurrency=max_concurrency,
        report_batch_item_failures=True,
    )
    accept(mapping, "The queue has its own dead-letter queue.", "Serverless-LambdaEventSourceMappingDestination")


def consume_stream(worker: PythonFunction, table: str, stream: str, failures: sqs.IQueue) -> None:
    """Let the `stream` (an ARN) of the declared `table` call `worker`; `failures` gets records given up."""
    allow(worker.role, stream, *_READ_STREAM)
    worker.alias.add_event_source_mapping(
        f"Stream-{table}",
        event_source_arn=stream,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        batch_size=100,
        parallelization_factor=_PARALLEL_BATCHES,
        report_batch_item_failures=True,
        bisect_batch_on_error=True,
        retry_attempts=_MAX_ATTEMPTS,
        max_record_age=_MAX_RECORD_AGE,
        on_failure=sources.SqsDlq(failures),  # pyright: ignore[reportArgumentType]
        filters=[_INSERTS],
    )
