"""The events that AWS calls a Lambda function with, and what the callers make of its answer.

Built from what the desk has at hand, and for tests. Every event is JSON as it would arrive; its shape is AWS's:

- SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
- DynamoDB Streams: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
- REST proxy integration:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
- REQUEST authorizer:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qsl

REGION = "us-east-1"
ACCOUNT = "123456789012"
API_ID = "desk"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the client sent it: `path` and `query` percent-encoded, header names in any case.

    `resource` is the route's template, `path_parameters` what its names stand for in `path`.
    """

    method: str
    path: str
    resource: str
    path_parameters: Mapping[str, str] | None = None
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    request_id: str = "req_desk"
    stage: str = "local"


def sqs_event(queue_arn: str, messages: Sequence[Mapping[str, Any]]) -> Event:
    """The event for `messages` as ReceiveMessage returns them; `MessageId` and `Body` are enough for a test."""
    return {"Records": [_sqs_record(queue_arn, message) for message in messages]}


def _sqs_record(queue_arn: str, message: Mapping[str, Any]) -> Event:
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


def stream_event(stream_arn: str, records: Sequence[Mapping[str, Any]]) -> Event:
    """The event for `records` as GetRecords returns them; of a test's, `eventName` and `dynamodb` are enough."""
    return {"Records": [_stream_record(stream_arn, record) for record in records]}


def _stream_record(stream_arn: str, record: Mapping[str, Any]) -> Event:
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


def proxy_event(request: HttpRequest, authorizer: Mapping[str, str] | None = None) -> Event:
    """The event of a REST API's proxy integration; `authorizer` is what the authorizer told, where there is one.

    Every body is base64, because the API declares `*/*` binary.
    """
    context = _request_context(request)
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    body = base64.b64encode(request.body).decode() if request.body else None
    return _frame(request, context) | {"body": body, "isBase64Encoded": bool(request.body)}


def authorizer_event(request: HttpRequest) -> Event:
    """The event of a REQUEST authorizer, which sees everything but the body."""
    event = _frame(request, _request_context(request))
    return {"type": "REQUEST", "methodArn": method_arn(request), **event}


def method_arn(request: HttpRequest) -> str:
    """What a policy must allow for `request` to pass."""
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{request.stage}/{request.method}{request.path}"


def _frame(request: HttpRequest, context: Event) -> Event:
    headers = _by_name([(_written_out(name), value) for name, value in request.headers])
    query = _by_name(parse_qsl(request.query, keep_blank_values=True))
    return {
        "resource": request.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": _last_ones(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last_ones(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(request.path_parameters) if request.path_parameters else None,
        "stageVariables": None,
        "requestContext": context,
    }


def _request_context(request: HttpRequest) -> Event:
    now = datetime.now(UTC)
    headers = {name.lower(): value for name, value in request.headers}
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": headers.get("host", "127.0.0.1"),
        "domainPrefix": API_ID,
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": {"sourceIp": request.source_ip, "userAgent": headers.get("user-agent")},
        "path": f"/{request.stage}{request.path}",
        "protocol": "HTTP/1.1",
        "requestId": request.request_id,
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now.timestamp() * 1000),
        "resourceId": "desk00",
        "resourcePath": request.resource,
        "stage": request.stage,
    }


def _written_out(name: str) -> str:
    """`name` as most clients write it: API Gateway keeps their case, which web servers for Python take away."""
    return "-".join(part.capitalize() for part in name.split("-"))


def _by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _last_ones(values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}


def failed_items(answer: Any, identifiers: Collection[str]) -> set[str]:
    """Those of a batch's `identifiers` that the function's `answer` reports as failed.

    An answer that AWS could not make sense of fails the whole batch, as it does there.
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
