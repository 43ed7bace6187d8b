"""The events of event source mappings, and what Lambda reads from a function's answer to a batch.

Every event is JSON as it would arrive; its shape is AWS's:

- SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
- DynamoDB Streams: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from local.aws.account import REGION

LambdaEvent = dict[str, Any]
"""The argument of a handler."""


def sqs_event(queue_arn: str, messages: Sequence[Mapping[str, Any]]) -> LambdaEvent:
    """The event for `messages` as ReceiveMessage returns them; `MessageId` and `Body` are enough for a test."""
    return {"Records": [_sqs_record(queue_arn, message) for message in messages]}


def _sqs_record(queue_arn: str, message: Mapping[str, Any]) -> LambdaEvent:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message.get("ReceiptHandle", "handle"),
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {"ApproximateReceiveCount": "1"})),
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def stream_event(stream_arn: str, records: Sequence[Mapping[str, Any]]) -> LambdaEvent:
    """The event for `records` as GetRecords returns them; of a test's, `eventName` and `dynamodb` are enough."""
    return {"Records": [_stream_record(stream_arn, record) for record in records]}


def _stream_record(stream_arn: str, record: Mapping[str, Any]) -> LambdaEvent:
    change: dict[str, Any] = {"StreamViewType": "NEW_IMAGE", **record["dynamodb"]}
    if isinstance(moment := change.get("ApproximateCreationDateTime"), datetime):
        change["ApproximateCreationDateTime"] = int(moment.timestamp())
    identity = {"userIdentity": record["userIdentity"]} if record.get("userIdentity") else {}
    return identity | {
        "eventID": record.get("eventID", change.get("SequenceNumber", "")),
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {name: _without_bytes(value) for name, value in change.items()},
        "eventSourceARN": stream_arn,
    }


def _without_bytes(value: Any) -> Any:
    """`value` with base64 in place of bytes, as binary attributes are in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _without_bytes(inner) for name, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_without_bytes(inner) for inner in cast("list[Any]", value)]
    return value


def failed_items(answer: Any, identifiers: Collection[str]) -> set[str]:
    """Those of a batch's `identifiers` that the function's `answer` reports as failed.

    An answer that AWS can't read fails the whole batch, as it does there.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if not answer:
        return set()
    reported: Any = cast("dict[str, Any]", answer).get("batchItemFailures") if isinstance(answer, dict) else 0
    if reported is None:
        return set()
    try:
        failed = {str(item["itemIdentifier"]) for item in reported}
    except (TypeError, KeyError):
        return set(identifiers)
    return failed if failed <= set(identifiers) else set(identifiers)
