"""Buffered functions behind the gateway: what a client sends arrives as API Gateway delivers it, and the way back."""

import io
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from callmissed.platform.routes import MAX_BODY_BYTES, Auth, Route
from local.api_gateway.authorizer import LambdaAuthorizer
from local.api_gateway.events import DOMAIN_NAME, HttpRequest
from local.api_gateway.gateway import ApiGateway
from local.api_gateway.proxy_integration import MalformedResponseError, ProxyIntegration, response_messages
from local.lambda_runtime.functions import LambdaFunctions
from local.ports import HOST
from tests.integration.local.api_gateway.test_gateway import ask, read_json, serving
from tests.support.local_handlers import ALLOW, CALLS, body_of, declared

ROUTES = (
    Route("POST", "/api/v1/things/{thing}/{rest+}", "echo", Auth.PUBLIC),
    Route("POST", "/api/v1/things", "echo", Auth.ACCOUNT, scope="bots:write"),
    *(
        Route("GET", f"/api/v1/{name}", name, Auth.PUBLIC)
        for name in ("say_text", "say_nonsense", "not_json", "explode", "dawdle")
    ),
)
NAMES = {route.function for route in ROUTES}


@asynccontextmanager
async def functions_behind_routes(**options: Any) -> AsyncGenerator[aiohttp.ClientSession]:
    """A client of a gateway before the stand-ins."""
    CALLS.clear()
    functions = LambdaFunctions([*(declared(name, name) for name in NAMES), declared("authorizer", "authorize")])
    apps = {name: ProxyIntegration(partial(functions.invoke, name)) for name in NAMES}
    authorizer = LambdaAuthorizer(partial(functions.invoke, "authorizer"), 20)
    gateway = ApiGateway(apps, ROUTES, authorize=authorizer.authorize, **options)
    async with serving(gateway) as port, aiohttp.ClientSession(f"http://{HOST}:{port}") as client:
        yield client


async def test_a_request_arrives_as_api_gateway_delivers_it() -> None:
    sent = URL("/api/v1/things/caf%C3%A9%2F1/a/%E0%A4%95?tag=a&tag=b%20c&empty=&tag=%E2%82%AC", encoded=True)
    headers = CIMultiDict([("X-Part", "1"), ("X-Part", "2"), ("Content-Type", "image/png"), ("x-amzn-trace-id", "no")])
    async with functions_behind_routes() as client:
        status, _, body = await ask(client, "POST", str(sent), data=bytes(range(256)), headers=headers)
    [event] = CALLS
    assert (status, body) == (201, bytes(range(256)))
    assert body_of(event) == bytes(range(256))
    assert event["isBase64Encoded"] is True
    assert (event["resource"], event["httpMethod"]) == ("/api/v1/things/{thing}/{rest+}", "POST")
    assert event["path"] == sent.raw_path
    assert event["pathParameters"] == {"thing": "caf%C3%A9%2F1", "rest": "a/%E0%A4%95"}
    assert event["queryStringParameters"] == {"tag": "€", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b c", "€"], "empty": [""]}
    assert event["headers"]["X-Part"] == "2"
    assert event["multiValueHeaders"]["X-Part"] == ["1", "2"]
    assert event["multiValueHeaders"]["Content-Type"] == ["image/png"]
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert "X-Amzn-Trace-Id" not in event["headers"]


async def test_the_request_context_says_where_it_came_from_and_by_which_route() -> None:
    async with functions_behind_routes() as client:
        headers = (await ask(client, "POST", "/api/v1/things/1/2", headers={"User-Agent": "tests"}))[1]
    context = CALLS[0]["requestContext"]
    assert (context["resourcePath"], context["path"]) == ("/api/v1/things/{thing}/{rest+}", "/local/api/v1/things/1/2")
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "tests", "userArn": None}
    assert (context["stage"], context["httpMethod"]) == ("local", "POST")
    assert context["domainName"] == DOMAIN_NAME
    assert context["requestId"] == headers["X-Request-Id"]
    assert "authorizer" not in context


async def test_absent_parts_of_a_request_are_null() -> None:
    async with functions_behind_routes() as client:
        await ask(client, "POST", "/api/v1/things", headers={"Authorization": "allow"})
    event = CALLS[-1]
    names = ("body", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters", "stageVariables")
    assert [event[name] for name in names] == [None] * len(names)
    assert event["isBase64Encoded"] is False


async def test_an_answer_keeps_all_values_of_its_headers() -> None:
    async with functions_behind_routes() as client:
        _, headers, _ = await ask(client, "POST", "/api/v1/things/1/2")
    assert headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert headers.getall("X-Both") == ["two", "three"]
    assert headers["X-Function"] == "callmissed-local-echo"


async def test_a_text_answer_is_utf_8() -> None:
    async with functions_behind_routes() as client:
        status, headers, body = await ask(client, "GET", "/api/v1/say_text")
    assert (status, body.decode(), headers["X-Flag"]) == (200, "नमस्ते", "true")


@pytest.mark.parametrize("kind", ["text", "no-status", "object-body", "bad-base64"])
async def test_a_malformed_answer_is_a_502_in_the_envelope(kind: str) -> None:
    async with functions_behind_routes() as client:
        answer = await ask(client, "GET", f"/api/v1/say_nonsense?kind={kind}")
    assert (answer[0], read_json(answer)["error"]["code"]) == (502, "internal_error")
    assert read_json(answer)["error"]["request_id"] == answer[1]["X-Request-Id"]


@pytest.mark.parametrize("name", ["explode", "not_json"])
async def test_a_function_that_fails_is_a_502_without_details(name: str) -> None:
    async with functions_behind_routes() as client:
        answer = await ask(client, "GET", f"/api/v1/{name}")
    assert (answer[0], read_json(answer)["error"]["message"]) == (502, "Something failed on our side.")


async def test_a_function_that_takes_too_long_is_a_503() -> None:
    async with functions_behind_routes(buffered_seconds=0.05) as client:
        assert (await ask(client, "GET", "/api/v1/dawdle"))[0] == 503


async def test_the_largest_body_reaches_the_function_and_a_larger_one_does_not() -> None:
    async with functions_behind_routes() as client:
        largest = await ask(client, "POST", "/api/v1/things/1/2", data=io.BytesIO(bytes(MAX_BODY_BYTES)))
        larger = await ask(client, "POST", "/api/v1/things/1/2", data=io.BytesIO(bytes(MAX_BODY_BYTES + 1)))
    assert (largest[0], len(largest[2]), larger[0]) == (201, MAX_BODY_BYTES, 413)
    assert len(CALLS) == 1


@pytest.mark.parametrize("answer", [None, [], {"statusCode": "x"}, {"statusCode": 200, "headers": {"a": {}}}])
def test_a_malformed_answer_raises_an_error(answer: Any) -> None:
    with pytest.raises(MalformedResponseError, match="malformed"):
        response_messages(answer)


async def authorized(value: str | None) -> tuple[int, Any, Sequence[Any]]:
    """Status and error of a call to an account's route with an Authorization header, and the calls that it led to."""
    headers = {} if value is None else {"Authorization": value}
    async with functions_behind_routes() as client:
        answer = await ask(client, "POST", "/api/v1/things?a=1", headers=headers, data=b"body")
    return answer[0], read_json(answer)["error"] if answer[0] >= 400 else None, list(CALLS)


async def test_an_allowed_caller_s_context_reaches_the_function_as_text() -> None:
    status, _, (asked, called) = await authorized("allow")
    assert status == 201
    assert called["requestContext"]["authorizer"] == {
        "tenant": "tnt_1",
        "retry_after": "3",
        "sandbox": "true",
        "principalId": "key_1",
    }
    assert asked["type"] == "REQUEST"
    assert asked["methodArn"] == "arn:aws:execute-api:us-east-1:123456789012:local/local/POST/api/v1/things"
    assert (asked["headers"]["Authorization"], asked["queryStringParameters"]) == ("allow", {"a": "1"})
    assert asked["requestContext"]["requestId"] == called["requestContext"]["requestId"]
    assert "body" not in asked


@pytest.mark.parametrize("name", ["[a]", "[!b]", "[", "*", "?"])
async def test_a_policy_for_the_request_itself_allows_it_whatever_is_in_its_path(name: str) -> None:
    async def allow(event: dict[str, Any]) -> dict[str, Any]:
        return {"principalId": "key_1", "policyDocument": {"Statement": [ALLOW | {"Resource": event["methodArn"]}]}}

    request = HttpRequest("GET", f"/api/v1/things/{name}", "/api/v1/things/{thing}")

    assert await LambdaAuthorizer(allow, 20).authorize(request) == {"principalId": "key_1"}


async def test_no_answer_of_the_authorizer_is_cached() -> None:
    async with functions_behind_routes() as client:
        for _ in range(2):
            await ask(client, "POST", "/api/v1/things", headers={"Authorization": "allow"})
    assert [event.get("type") for event in CALLS] == ["REQUEST", None, "REQUEST", None]


async def test_an_unauthorized_caller_is_a_401() -> None:
    status, error, calls = await authorized(None)
    assert (status, error["code"], error["type"]) == (401, "invalid_api_key", "invalid_request_error")
    assert len(calls) == 1


@pytest.mark.parametrize("how", ["deny", "elsewhere"])
async def test_a_policy_that_denies_or_is_for_another_route_is_a_403(how: str) -> None:
    status, error, calls = await authorized(how)
    assert (status, error.pop("request_id")[:4]) == (403, "req_")
    assert error == {"code": "permission_denied", "message": "Access denied.", "type": "permission_error"}
    assert len(calls) == 1


@pytest.mark.parametrize("how", ["break", "nonsense"])
async def test_an_authorizer_that_fails_is_a_503(how: str) -> None:
    status, error, calls = await authorized(how)
    assert (status, error["code"]) == (503, "service_unavailable")
    assert len(calls) == 1
