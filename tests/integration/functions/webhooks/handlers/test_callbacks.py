"""The handlers as Lambda calls them, on a thread of their own as in the local stack."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mangum.types import LambdaContext

from callmissed.aws import runtime
from callmissed.clock import system_clock
from functions.webhooks.handlers import callback_worker as worker
from functions.webhooks.handlers import callbacks_api as api
from local.aws.tables import StageTables
from tests.support.webhooks.callbacks import (
    CASHFREE,
    CASHFREE_SECRET,
    SEALING,
    VOICE,
    by_cashfree,
    payment,
    proxy_event,
)

Serve = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def lambdas(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"STAGE": tables.stage, "DYNAMODB_ENDPOINT": tables.endpoint, "SEALING_KEYS": SEALING}
    for name, value in settings.items():
        monkeypatch.setenv(f"CALLMISSED_{name}", value)
    monkeypatch.setenv("CASHFREE_SECRET_KEY", CASHFREE_SECRET)
    api._served.cache_clear()
    worker._worker.cache_clear()


def on_a_thread(*calls: Callable[[], Any]) -> list[Any]:
    """Answers of `calls`, one after the other on one loop, which is closed at the end."""

    def work() -> list[Any]:
        try:
            return [call() for call in calls]
        finally:
            runtime.run(api._served()._app.state.callbacks._database.close())  # pyright: ignore
            runtime.run(worker._worker()._database.close())
            runtime._runner().close()
            del runtime._own.runner

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.usefixtures("lambdas")
def test_a_warm_function_serves_again_and_again_and_what_it_stored_is_processed() -> None:
    body = payment()
    event = proxy_event("POST", CASHFREE, body, by_cashfree(body, system_clock()))
    forged = proxy_event("POST", VOICE, b"To=1", {"X-Twilio-Signature": "x"})
    message = {"messageId": "m-1", "body": json.dumps({"detail": {"id": "cbk_unknown"}}), "attributes": {}}

    first, again, refused, left = on_a_thread(
        lambda: api.handler(event, LambdaContext),  # pyright: ignore
        lambda: api.handler(event, LambdaContext),  # pyright: ignore
        lambda: api.handler(forged, LambdaContext),  # pyright: ignore
        lambda: worker.handler({"Records": [message]}, None),
    )

    assert (first["statusCode"], again["statusCode"], refused["statusCode"]) == (200, 200, 401)
    error = json.loads(refused["body"])["error"]
    assert error["code"] == "invalid_signature"
    assert refused["headers"]["x-request-id"] == error["request_id"]
    assert left == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
