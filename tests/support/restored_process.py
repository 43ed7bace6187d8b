"""A process as Lambda restores it from a snapshot: what it imports after the restore, and what the snapshot held.

Run as `python -m tests.support.restored_process FUNCTION` with the environment of a deployed function. Prints one JSON
object. Everything before `restored` happens when the function is deployed.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import psutil

from callmissed.keys.secret import Mode, new_secret
from callmissed.platform.functions import FUNCTIONS, Function
from functions.inference.snapstart import AFTER_RESTORE

CHAT = "/v1/chat/completions"
PATHS = {"auth": "/api/v1/keys"}
"""A path of each function that answers events of API Gateway, `/api/v1/webhooks` by default."""


def main() -> None:
    [function] = [each for each in FUNCTIONS if each.name == sys.argv[1]]
    if function.web_app:
        import_module("uvicorn.logging")  # as `run.sh` does
    answer = started(function)
    gc.collect()
    before, sockets, credentials = set(sys.modules), len(psutil.Process().net_connections()), session_credentials()
    status = answer()
    new = sorted(set(sys.modules) - before)
    print(json.dumps({"new": new, "status": status, "sockets": sockets, "credentials": credentials}))


def started(function: Function) -> Callable[[], int]:
    """Import the entry; the result makes its first answer and returns the status."""
    if function.web_app:
        module, _, attribute = function.web_app.partition(":")
        app = getattr(import_module(module), attribute)
        return lambda: asyncio.run(asked(app))
    module, _, attribute = cast("str", function.handler).rpartition(".")
    handler = getattr(import_module(module), attribute)
    return lambda: handled(handler, PATHS.get(function.name, "/api/v1/webhooks"))


def session_credentials() -> bool:
    """Whether boto3's session, from which later clients come, has credentials."""
    boto3 = sys.modules.get("boto3")
    session: Any = boto3 and boto3.DEFAULT_SESSION
    return bool(session and session._session._credentials)


async def asked(app: Any) -> int:
    await request(app, AFTER_RESTORE, None)
    return await request(app, CHAT, CHAT)


async def request(app: Any, path: str, resource: str | None) -> int:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"model": "sandbox", "messages": []}', "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    context = [(b"x-amzn-request-context", json.dumps({"resourcePath": resource}).encode())] if resource else []
    headers = [(b"authorization", f"Bearer {new_secret(Mode.LIVE)}".encode()), *context]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await app(scope | {"http_version": "1.1", "scheme": "http", "raw_path": path.encode()}, receive, send)
    return sent[0]["status"]


def handled(handler: Any, path: str) -> int:
    """Status of a request of API Gateway; of the authorizer, 401 for the key that nobody has."""
    event = {
        "httpMethod": "GET",
        "path": path,
        "resource": path,
        "methodArn": "arn",
        "headers": {},
        "multiValueHeaders": {"authorization": [f"Bearer {new_secret(Mode.LIVE)}"]},
        "requestContext": {"authorizer": {"tenant": "t", "key_id": "k", "mode": "live", "plan": "pro", "scopes": "*"}},
        "body": None,
        "isBase64Encoded": False,
    }
    try:
        return handler(event, None)["statusCode"]
    except Exception as refused:
        assert str(refused) == "Unauthorized", refused
        return 401


if __name__ == "__main__":
    main()
