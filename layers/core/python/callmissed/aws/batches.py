"""Batches from SQS and DynamoDB Streams, with the failures reported one by one (`ReportBatchItemFailures`).

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.logging import Logger

from callmissed.aws.attributes import Item, from_item

Failures = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Received:
    """A message's JSON body. `redelivered`: an earlier run may have done part of the work."""

    body: dict[str, Any]
    redelivered: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A stream record: the item as it is after the change, which `operation` (INSERT, MODIFY, REMOVE) names."""

    operation: str
    item: Item
    number: str


async def each_message(
    event: Mapping[str, Any], work: Callable[[Received], Awaitable[None]], logger: Logger
) -> Failures:
    """Run `work` for all messages of an SQS event in parallel; a message whose work raises goes back to the queue."""
    records: list[dict[str, Any]] = event["Records"]

    async def done(record: Mapping[str, Any]) -> None:
        await work(_received(record))

    results = await asyncio.gather(*map(done, records), return_exceptions=True)
    failed: list[dict[str, str]] = []
    for record, result in zip(records, results, strict=True):
        if isinstance(result, Exception):
            logger.error("a message failed", exc_info=result, extra={"message_id": record["messageId"]})
            failed.append({"itemIdentifier": record["messageId"]})
        elif isinstance(result, BaseException):
            raise result
    return {"batchItemFailures": failed}


def changes(event: Mapping[str, Any]) -> list[Change]:
    """The records of a DynamoDB stream's event, in the order of the stream."""
    return [_change(record) for record in event["Records"]]


def from_here(failed: Sequence[Change]) -> Failures:
    """The answer that makes Lambda retry from the first of `failed`; without one, the batch is done."""
    return {"batchItemFailures": [{"itemIdentifier": failed[0].number}] if failed else []}


def _received(record: Mapping[str, Any]) -> Received:
    count = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
    return Received(json.loads(record["body"]), redelivered=count > 1)


def _change(record: Mapping[str, Any]) -> Change:
    change = record["dynamodb"]
    return Change(record["eventName"], from_item(change.get("NewImage", {})), change["SequenceNumber"])
