"""What calls a worker: the queues that it works off, and the stream of the table that it follows."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from infra.constructs.checks import accept
from infra.constructs.python_function import PythonFunction
from infra.constructs.rights import allow
from infra.constructs.work_queue import WorkQueue

_INSERTS = lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})
"""Events and ledger entries are told of once, when they are written; marks on them and their expiry are no news."""

_RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_READ_STREAM = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords", "dynamodb:ListStreams")

_MOST_TRIES = 100
_MOST_AGE = Duration.hours(6)
"""Bounds for a record that fails on and on: it leaves the stream, which keeps records for 24 hours, long before that.
An outage of minutes ends sooner than the tries do, and a record that waits while nothing is called uses up none."""

_SIDE_BY_SIDE = 10
"""Batches of one shard at the same time. Records of one partition key stay in order."""


def work_off(worker: PythonFunction, source: WorkQueue, at_once: int | None = None) -> None:
    """Let `source` call `worker`, by at most `at_once` invocations at the same time."""
    allow(worker.role, source.queue.queue_arn, *_RECEIVE)
    mapping = worker.alias.add_event_source_mapping(
        f"Queue-{source.declared.name}",
        event_source_arn=source.queue.queue_arn,
        batch_size=source.declared.batch,
        max_concurrency=at_once,
        report_batch_item_failures=True,
    )
    accept(mapping, "The queue has its own dead-letter queue.", "Serverless-LambdaEventSourceMappingDestination")


def follow(worker: PythonFunction, table: str, stream: str, failures: sqs.IQueue) -> None:
    """Let the `stream` (an ARN) of the declared `table` call `worker`; `failures` is told of records given up."""
    allow(worker.role, stream, *_READ_STREAM)
    worker.alias.add_event_source_mapping(
        f"Stream-{table}",
        event_source_arn=stream,
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        batch_size=100,
        parallelization_factor=_SIDE_BY_SIDE,
        report_batch_item_failures=True,
        bisect_batch_on_error=True,
        retry_attempts=_MOST_TRIES,
        max_record_age=_MOST_AGE,
        on_failure=sources.SqsDlq(failures),  # pyright: ignore[reportArgumentType]
        filters=[_INSERTS],
    )
