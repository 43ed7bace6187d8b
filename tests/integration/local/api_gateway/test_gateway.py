"""The gateway before scripted apps: what API Gateway refuses never reaches them, the rest does."""

import asyncio
import io
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.platform.routes import MAX_BODY_BYTES, ROUTES, Auth, Route
from local.api_gateway.events import HttpRequest
from local.api_gateway.gateway import MAX_HEAD_BYTES, ApiGateway
from local.ports import HOST, bind, port_of

GUARD_SECONDS = 20
CHAT = "/v1/chat/completions"
ANTHROPIC = Route("POST", "/anthropic/v1/messages", "inference", Auth.KEY, streaming=True)
Script = Callable[[Receive, Send], Awaitable[None]]


class Recorder:
    """An app that remembers what reached it, then follows a script."""

    def __init__(self, script: Script) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self._script = script

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        message = await receive()
        assert not message["more_body"]
        self.bodies.append(message["body"])
        await self._script(receive, send)


def head(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


def chunk(body: bytes, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def say_ok(_receive: Receive, send: Send) -> None:
    await send(head())
    await send(chunk(b"ok", more=False))


async def ask(client: aiohttp.ClientSession, method: str, path: str, **options: Any) -> tuple[int, Any, bytes]:
    """Status, headers and body of an answer."""
    async with client.request(method, path, **options) as answer:
        return answer.status, answer.headers, await answer.read()


def read_json(answer: tuple[int, Any, bytes]) -> Any:
    return json.loads(answer[2])


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[int]:
    """The port of `app` under a real server."""
    listener = bind(0)
    server = uvicorn.Server(uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:
            await asyncio.wait([task], timeout=0.01)
            assert not task.done()
        yield port_of(listener)
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def gateway(script: Script = say_ok, **options: Any) -> AsyncGenerator[tuple[Recorder, aiohttp.ClientSession]]:
    """A gateway before one recording app, which is every function, and a client of it."""
    recorder = Recorder(script)
    apps = {route.function: recorder for route in ROUTES}
    async with (
        serving(ApiGateway(apps, **options)) as recorder.port,
        aiohttp.ClientSession(f"http://{HOST}:{recorder.port}") as client,
    ):
        yield recorder, client


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_declared_route_reaches_its_function(route: Route) -> None:
    async def allow(_request: HttpRequest) -> dict[str, str]:
        return {"tenant": "tnt_1"}

    path = re.sub(r"\{\w+\}", "one", route.path.replace("{model_id+}", "openai/gpt-5.5"))
    async with gateway(authorize=allow, verify_operator=lambda _request: "arn:of-one") as (app, client):
        status, _, body = await ask(client, route.method, path, params={"q": "1"})
    assert (status, body) == (200, b"ok")
    assert [(scope["method"], scope["path"], scope["query_string"]) for scope in app.scopes] == [
        (route.method, path, b"q=1")
    ]
    assert ("authorizer" in app.scopes[0]) is route.has_authorizer
    assert ("user_arn" in app.scopes[0]) is (route.auth is Auth.OPERATOR)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1/nope"), ("GET", CHAT), ("PUT", "/v1/models"), ("POST", "/_local/schedules/hold-sweep")],
)
async def test_no_other_route_or_method_exists(method: str, path: str) -> None:
    async with gateway() as (app, client):
        status, headers, body = await ask(client, method, path)
    error = json.loads(body)["error"]
    assert (status, error["code"], error["request_id"]) == (404, "not_found", headers["X-Request-Id"])
    assert app.scopes == []


async def test_preflights_are_the_functions_business() -> None:
    async with gateway() as (app, client):
        statuses = [(await ask(client, "OPTIONS", path))[0] for path in (CHAT, "/v1/nope")]
    assert statuses == [200, 404]
    assert [scope["method"] for scope in app.scopes] == ["OPTIONS"]


async def test_unknown_routes_answer_in_each_surface_s_envelope() -> None:
    async with gateway() as (_, client):
        openai = read_json(await ask(client, "GET", "/v1/nope"))
        platform = read_json(await ask(client, "GET", "/api/v1/nope"))
        anthropic = read_json(await ask(client, "GET", "/anthropic/v1/nope"))
    assert openai["error"].keys() == {"message", "type", "code", "param", "request_id"}
    assert platform["error"].keys() == {"message", "type", "code", "request_id"}
    assert (anthropic["type"], anthropic["error"]["type"]) == ("error", "not_found_error")


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    """A body of `size` bytes whose length the client does not announce."""
    for start in range(0, size, 65536):
        yield b"x" * min(65536, size - start)


@pytest.mark.parametrize("announced", [True, False])
async def test_the_largest_body_arrives_whole(announced: bool) -> None:
    body = b"x" * MAX_BODY_BYTES
    async with gateway() as (app, client):
        data = io.BytesIO(body) if announced else in_chunks(MAX_BODY_BYTES)
        assert (await ask(client, "POST", CHAT, data=data))[0] == 200
    assert app.bodies == [body]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_larger_body_is_refused_in_the_envelope_of_its_path(announced: bool) -> None:
    def oversized(announced: bool) -> io.BytesIO | AsyncIterator[bytes]:
        size = MAX_BODY_BYTES + 1
        return io.BytesIO(b"x" * size) if announced else in_chunks(size)

    async with gateway(routes=[*ROUTES, ANTHROPIC]) as (app, client):
        openai = await ask(client, "POST", CHAT, data=oversized(announced))
        anthropic = await ask(client, "POST", ANTHROPIC.path, data=oversized(announced))
    bodies = read_json(openai), read_json(anthropic)
    assert (openai[0], anthropic[0]) == (413, 413)
    assert openai[1]["Access-Control-Allow-Origin"] == "*", "a page of any origin may read why it was refused"
    assert bodies[0]["error"]["code"] == bodies[1]["error"]["code"] == "file_too_large"
    assert (bodies[0]["error"]["type"], bodies[1]["error"]["type"]) == ("invalid_request_error", "request_too_large")
    assert bodies[1]["request_id"] == anthropic[1]["X-Request-Id"]
    assert app.scopes == []


async def test_an_absurd_length_is_refused_without_reading_it() -> None:
    async with gateway() as (app, _):
        reader, writer = await asyncio.open_connection(HOST, app.port)
        writer.write(f"POST {CHAT} HTTP/1.1\r\nHost: local\r\nContent-Length: {10**12}\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), GUARD_SECONDS)
        writer.close()
    assert status.split()[1] == b"413"
    assert app.scopes == []


async def test_a_stream_passes_chunk_by_chunk() -> None:
    read = [asyncio.Event() for _ in range(3)]

    async def stream(_receive: Receive, send: Send) -> None:
        await send(head((b"content-type", b"text/event-stream")))
        for number, event in enumerate(read):
            await send(chunk(b"data: %d\n\n" % number))
            await event.wait()  # the next chunk exists only after the client has seen this one
        await send(chunk(b"", more=False))

    async with gateway(stream) as (_, client), client.post(CHAT) as answer:
        for number, event in enumerate(read):
            seen = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), GUARD_SECONDS)
            assert seen == b"data: %d\n\n" % number
            event.set()
        assert await answer.content.read() == b""


async def test_a_client_that_hangs_up_is_seen_by_the_app() -> None:
    hung_up = asyncio.Event()

    async def stream(receive: Receive, send: Send) -> None:
        await send(head())
        await send(chunk(b"first"))
        assert (await receive())["type"] == "http.disconnect"
        hung_up.set()

    async with gateway(stream) as (_, client):
        async with client.post(CHAT, data=b"{}") as answer:
            assert await answer.content.readexactly(5) == b"first"
            answer.close()
        await asyncio.wait_for(hung_up.wait(), GUARD_SECONDS)


async def test_a_client_that_hangs_up_while_sending_reaches_no_app() -> None:
    async with gateway() as (app, client):
        _, writer = await asyncio.open_connection(HOST, app.port)
        writer.write(f"POST {CHAT} HTTP/1.1\r\nHost: local\r\nContent-Length: 100\r\n\r\nhalf".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await ask(client, "GET", "/v1/models"))[0] == 200
    assert [scope["path"] for scope in app.scopes] == ["/v1/models"]


async def test_an_answer_without_a_request_id_gets_one_and_an_own_one_stays() -> None:
    async def with_id(_receive: Receive, send: Send) -> None:
        await send(head((b"x-request-id", b"req_own")))
        await send(chunk(b"", more=False))

    async with gateway() as (_, client):
        given = (await ask(client, "GET", "/v1/models"))[1].getall("X-Request-Id")
    async with gateway(with_id) as (_, client):
        kept = (await ask(client, "GET", "/v1/models"))[1].getall("X-Request-Id")
    assert len(given) == 1
    assert given[0].startswith("req_")
    assert kept == ["req_own"]


async def test_a_client_can_not_pose_as_the_lambda_adapter() -> None:
    forged = {"X-Amzn-Request-Context": json.dumps({"authorizer": "mine"}), "X-Other": "kept"}
    async with gateway() as (app, client):
        await ask(client, "GET", "/v1/models", headers=forged)
    names = {name for name, _ in app.scopes[0]["headers"]}
    assert b"x-other" in names
    assert b"x-amzn-request-context" not in names


async def sized(app: Recorder, excess: int) -> int:
    """Status of a request whose line and values of headers are so much longer than API Gateway allows."""
    fixed = len("GET /v1/models?q=1 HTTP/1.1") + len("local")
    reader, writer = await asyncio.open_connection(HOST, app.port)
    padding = "x" * (MAX_HEAD_BYTES - fixed + excess)
    writer.write(f"GET /v1/models?q=1 HTTP/1.1\r\nHost: local\r\nX-Long: {padding}\r\n\r\n".encode())
    line = await asyncio.wait_for(reader.readline(), GUARD_SECONDS)
    writer.close()
    return int(line.split()[1])


async def test_line_and_headers_may_have_ten_kilobytes() -> None:
    async with gateway() as (app, _):
        assert (await sized(app, 0), await sized(app, 1)) == (200, 431)
    assert len(app.scopes) == 1


async def test_long_head_is_refused_in_the_envelope_of_its_path() -> None:
    headers = {f"X-{number}": "x" * 2000 for number in range(6)}
    async with gateway() as (app, client):
        openai = await ask(client, "GET", "/v1/models", headers=headers)
        platform = await ask(client, "GET", "/api/v1/models", headers=headers)
    assert (openai[0], platform[0]) == (431, 431)
    assert "param" in read_json(openai)["error"]
    assert read_json(platform)["error"]["code"] == "invalid_request_error"
    assert app.scopes == []


@pytest.mark.parametrize(("length", "status"), [(1400, 200), (1600, 414)])
async def test_path_before_an_authorizer_has_a_quota_of_its_own(length: int, status: int) -> None:
    async def allow(_request: HttpRequest) -> dict[str, str]:
        return {"tenant": "tnt_1"}

    async with gateway(authorize=allow) as (_, client):
        answer = await ask(client, "GET", f"/api/v1/webhooks/{'x' * length}")
        public = await ask(client, "GET", f"/api/v1/models/{'x' * length}")
    assert (answer[0], public[0]) == (status, 200)


async def test_values_of_headers_are_trimmed() -> None:
    async with gateway() as (app, _):
        reader, writer = await asyncio.open_connection(HOST, app.port)
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: local\r\nX-Any: \t a b \t \r\nX-Empty: \t\r\n\r\n")
        await asyncio.wait_for(reader.readline(), GUARD_SECONDS)
        writer.close()
    headers = dict(app.scopes[0]["headers"])
    assert (headers[b"x-any"], headers[b"x-empty"]) == (b"a b", b"")


async def test_a_call_that_never_answers_ends_at_the_platform_s_limit() -> None:
    async def hang(_receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    async with gateway(hang, timeout_seconds=0.05) as (_, client):
        answer = await ask(client, "POST", CHAT)
    assert (answer[0], read_json(answer)["error"]["code"]) == (503, "service_unavailable")


async def test_a_buffered_call_that_never_answers_is_a_503() -> None:
    async def hang(_receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    async with gateway(hang, buffered_seconds=0.05) as (_, client):
        answer = await ask(client, "GET", "/api/v1/webhooks/event-types")
    assert (answer[0], read_json(answer)["error"]["code"]) == (503, "service_unavailable")


async def test_without_an_authorizer_no_account_route_is_served() -> None:
    async with gateway() as (app, client):
        status, _, _ = await ask(client, "GET", "/api/v1/webhooks")
        preflight, _, _ = await ask(client, "OPTIONS", "/api/v1/webhooks")
    assert (status, preflight) == (503, 404)
    assert app.scopes == []


async def test_a_stream_that_never_ends_is_cut_at_the_platform_s_limit() -> None:
    async def trickle(_receive: Receive, send: Send) -> None:
        await send(head())
        await send(chunk(b"first"))
        await asyncio.Event().wait()

    async with gateway(trickle, timeout_seconds=0.2) as (_, client):
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(client, "POST", CHAT)
