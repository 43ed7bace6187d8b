"""Behind the Lambda Web Adapter: the resource comes from its header, and hooks are no routes of callers."""

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from callmissed.settings import from_environment
from functions.inference.adapter import AdapterRequests
from functions.inference.snapstart import AFTER_RESTORE, BEFORE_SNAPSHOT, HEALTH, LateApp

CONTEXT = "x-amzn-request-context"


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    names = [name.decode() for name, _ in scope["headers"] if name.startswith(b"x-")]
    await JSONResponse([scope.get("resource"), names])(scope, receive, send)


def seen(*headers: tuple[str, str]) -> Any:
    return TestClient(AdapterRequests(show)).get("/v1/models", headers=list(headers)).json()


def test_resource_is_what_api_gateway_chose() -> None:
    context = json.dumps({"resourcePath": "/v1/models", "identity": {"userAgent": '"resourcePath": "/x"'}})

    assert seen((CONTEXT, context), ("x-amzn-lambda-context", "{}"), ("x-any", "1")) == ["/v1/models", ["x-any"]]


@pytest.mark.parametrize("context", ["", "{", "[]", "null", "5", "{}", '{"resourcePath": 5}', "[" * 5000, '"x"'])
def test_unreadable_context_has_no_route(context: str) -> None:
    assert seen((CONTEXT, context))[0] == ""


def test_no_context_or_two_have_no_route() -> None:
    context = (CONTEXT, '{"resourcePath": "/v1/models"}')

    assert seen()[0] == seen(context, context)[0] == ""


@pytest.mark.parametrize("path", [HEALTH, BEFORE_SNAPSHOT, AFTER_RESTORE])
def test_path_of_a_caller_that_leads_to_a_hook_is_none(path: str) -> None:
    """The adapter resolves `..`, so `/v1/models/%2e%2e/%2e%2e/healthz` arrives as `/healthz`."""
    client = TestClient(LateApp(lambda: Response("no such route", 404), early=True))

    assert client.get(path).status_code == 200
    assert client.get(path, headers={CONTEXT: "{}"}).status_code == 404


def test_process_knows_whether_it_is_behind_the_adapter() -> None:
    assert from_environment({"AWS_LWA_PORT": "8080"}).behind_adapter
    assert not from_environment({}).behind_adapter
