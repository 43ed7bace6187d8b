"""Handlers that stand in for functions of the platform, declared by tests as `tests.support.local_handlers.…`."""

import asyncio
import base64
import threading
import time
from collections import Counter
from typing import Any

from callmissed.aws.runtime import run
from callmissed.platform.functions import Function
from local.lambda_runtime.functions import LambdaContext

Event = dict[str, Any]

CALLS: list[Event] = []
"""The events of `remember` and of those that are built on it, oldest first. Tests clear it."""

ALLOW = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}


def declared(name: str, handler: str, **more: Any) -> Function:
    """Function `name`, run by the handler of this module that is called `handler`."""
    return Function(name, slice="tests", handler=f"{__name__}.{handler}", **more)


def remember(event: Event, _context: LambdaContext) -> None:
    CALLS.append(event)


def echo(event: Event, context: LambdaContext) -> Event:
    """Send the body back, and show in headers who was called."""
    CALLS.append(event)
    return {
        "statusCode": 201,
        "headers": {"X-Function": context.function_name, "Content-Type": "application/octet-stream", "X-Both": "one"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "X-Both": ["two", "three"]},
        "body": event["body"] or "",
        "isBase64Encoded": event["isBase64Encoded"],
    }


def say_text(_event: Event, _context: LambdaContext) -> Event:
    return {"statusCode": 200, "body": "नमस्ते", "headers": {"content-type": "text/plain; charset=utf-8", "x-flag": True}}


def say_nonsense(event: Event, _context: LambdaContext) -> Any:
    """Whatever the query asks for that is no answer."""
    return {
        "text": "hello",
        "no-status": {"body": "hello"},
        "object-body": {"statusCode": 200, "body": {"a": 1}},
        "bad-base64": {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
    }[event["queryStringParameters"]["kind"]]


def not_json(_event: Event, _context: LambdaContext) -> Any:
    return {"statusCode": 200, "body": b"bytes"}


def explode(event: Event, _context: LambdaContext) -> None:
    CALLS.append(event)
    raise RuntimeError("a defect")


def dawdle(_event: Event, context: LambdaContext) -> Event:
    time.sleep(0.3)
    return {"statusCode": 200, "body": str(context.get_remaining_time_in_millis())}


def where(_event: Event, _context: LambdaContext) -> str:
    """The name of the thread that runs this."""
    return threading.current_thread().name


def wait_for_go(event: Event, _context: LambdaContext) -> None:
    """Return when a message that says `go` has come to another call, on the loop that both share."""
    run(_wait_for_go(event))


async def _wait_for_go(event: Event) -> None:
    if event["Records"][0]["body"] == "go":
        _GO.set()
    await _GO.wait()
    CALLS.append(event)


_GO = asyncio.Event()


def fail_named(event: Event, _context: LambdaContext) -> Event:
    """Report the SQS messages whose body says `fail`."""
    CALLS.append(event)
    failed = [record["messageId"] for record in event["Records"] if record["body"].startswith("fail")]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


_SEEN: Counter[str] = Counter()


def fail_once(event: Event, _context: LambdaContext) -> Event:
    """Report the stream records of items whose id begins with `once`, when they come for the first time."""
    CALLS.append(event)
    failed: list[str] = []
    for record in event["Records"]:
        id = record["dynamodb"]["Keys"]["id"]["S"]
        if id.startswith("once") and not _SEEN[id]:
            _SEEN[id] += 1
            failed.append(record["dynamodb"]["SequenceNumber"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def authorize(event: Event, _context: LambdaContext) -> Event:
    """Decide as the request's Authorization header says."""
    CALLS.append(event)
    match event["headers"].get("Authorization"):
        case "allow":
            context = {"tenant": "tnt_1", "retry_after": 3, "sandbox": True, "nothing": None}
            return {"principalId": "key_1", "policyDocument": {"Statement": [ALLOW]}, "context": context}
        case "deny":
            statement = {**ALLOW, "Effect": "Deny"}
            context = {"code": "insufficient_scope", "message": "API Gateway does not show this."}
            return {"principalId": "key_1", "policyDocument": {"Statement": [statement]}, "context": context}
        case "elsewhere":
            statement = {**ALLOW, "Resource": "arn:aws:execute-api:us-east-1:*:*/local/GET/other"}
            return {"principalId": "key_1", "policyDocument": {"Statement": [statement]}}
        case "nonsense":
            return {"principalId": "key_1"}
        case "break":
            raise RuntimeError("a defect")
        case _:
            raise Exception("Unauthorized")


def body_of(event: Event) -> bytes:
    """The body of a proxy event."""
    return base64.b64decode(event["body"])
