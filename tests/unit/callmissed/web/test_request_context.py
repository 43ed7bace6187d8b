"""The outermost layer: an id for each request, and an envelope for what nobody caught."""

import json
import logging
import traceback
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.web.request_context import BrokenOffError, RequestContext, RequestContextMiddleware

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
BODY: Message = {"type": "http.response.body", "body": b"x", "more_body": True}
END: Message = {"type": "http.response.body", "body": b""}


def answering(*messages: Message, then: Exception | None = None) -> ASGIApp:
    """Sends the messages, and raises `then`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))
        if then:
            raise then

    return app


async def served(app: ASGIApp, path: str = "/api/v1/things") -> tuple[list[Message], Scope]:
    sent: list[Message] = []
    scope: Scope = {"type": "http", "path": path, "headers": [], "method": "GET"}

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent, scope


async def test_request_id_is_in_the_state_and_on_the_answer() -> None:
    (start, _), scope = await served(RequestContextMiddleware(answering(START, END)))
    _, other = await served(RequestContextMiddleware(answering(START, END)))

    request_id = scope["state"]["request_id"]
    assert request_id.startswith("req_")
    assert start["headers"] == [(b"a", b"b"), (b"x-request-id", request_id.encode()), (b"cache-control", b"no-store")]
    assert other["state"]["request_id"] != request_id


async def test_answer_that_says_how_long_it_may_be_kept_is_left_alone() -> None:
    kept = {**START, "headers": [(b"cache-control", b"public, max-age=60")]}

    (start, _), _ = await served(RequestContextMiddleware(answering(kept, END)))

    assert [value for name, value in start["headers"] if name == b"cache-control"] == [b"public, max-age=60"]


async def test_context_and_headers_of_a_slice_are_used() -> None:
    def headers(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
        return [(b"x-call", scope["state"]["call"].encode())]

    def context() -> RequestContext:
        return RequestContext("req_7", {"call": "7"}, {"call": "seven"})

    app = RequestContextMiddleware(answering(START, END), new_context=context, headers=headers)

    (start, _), scope = await served(app)

    assert scope["state"] == {"request_id": "req_7", "call": "seven"}
    assert start["headers"][1:-1] == [(b"x-request-id", b"req_7"), (b"x-call", b"seven")]


async def test_caller_whom_the_authorizer_refuses_never_reaches_the_application() -> None:
    refusal = {"refused": "429", "code": "rate_limit_exceeded", "message": 'Retry in 7 "s".', "retry_after": "7"}
    app = RequestContextMiddleware(answering(then=AssertionError("the application was asked")))

    async def authorized(scope: Scope, receive: Receive, send: Send) -> None:
        event = {"requestContext": {"authorizer": {**refusal, "principalId": "key"}}}
        await app({**scope, "aws.event": event}, receive, send)

    (start, body), _ = await served(authorized)

    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (429, b"7")
    error = json.loads(body["body"])["error"]
    assert error.pop("request_id").startswith("req_")
    assert error == {"code": "rate_limit_exceeded", "message": 'Retry in 7 "s".', "type": "rate_limit_error"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/v1/things", {"code", "message", "type", "request_id"}),
        ("/v1/x", {"code", "message", "type", "param", "request_id"}),
    ],
)
async def test_exception_before_the_answer_becomes_an_envelope(path: str, fields: set[str]) -> None:
    app = RequestContextMiddleware(answering(then=RuntimeError("secret")))

    (start, body), scope = await served(app, path)

    error = json.loads(body["body"])["error"]
    assert (start["status"], error["code"], set(error)) == (500, "internal_error", fields)
    assert (b"x-request-id", scope["state"]["request_id"].encode()) in start["headers"]
    assert b"secret" not in body["body"]


async def test_exception_in_the_midst_of_an_answer_is_raised_to_the_server() -> None:
    """The server logs what is raised, so the exception itself is not: its text may quote the caller."""
    failure = RuntimeError(f"secret-{4711}")

    with pytest.raises(BrokenOffError) as raised:
        await served(RequestContextMiddleware(answering(START, BODY, then=failure)))

    assert "secret-4711" not in "".join(traceback.format_exception(raised.value))


async def test_exception_after_the_answer_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    app = RequestContextMiddleware(answering(START, BODY, END, then=RuntimeError("too late")))

    with caplog.at_level(logging.ERROR):
        sent, scope = await served(app)

    assert [message["type"] for message in sent] == [START["type"], BODY["type"], END["type"]]
    (record,) = caplog.records
    assert (record.message, vars(record)["request"]) == ("unexpected failure", scope["state"]["request_id"])
    assert vars(record)["path"] == "/api/v1/things"


async def test_what_is_no_request_passes_through() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    async def nothing(*_: object) -> Any:
        raise AssertionError("nothing is sent or read")

    await RequestContextMiddleware(app)({"type": "lifespan"}, nothing, nothing)

    assert scopes == [{"type": "lifespan"}]
