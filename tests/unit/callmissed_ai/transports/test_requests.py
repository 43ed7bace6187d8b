"""Every transport sends a call's method, path, headers and body as they are."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args

import pytest
from aiohttp import web

from callmissed.catalog.model import ProviderSettings, TransportName
from callmissed_ai.transports.base import Transport, UpstreamCall
from callmissed_ai.transports.opening import open_transport
from tests.support.threads import background_loop

NAMES: tuple[TransportName, ...] = get_args(TransportName)
SENT: list[tuple[str, str, str, str | None, bytes]] = []


async def record(request: web.Request) -> web.Response:
    """Keep what the upstream got."""
    body = await request.read()
    SENT.append((request.method, request.raw_path, request.headers["X-Lab"], request.headers.get("Content-Type"), body))
    return web.json_response({"id": 1}, headers={"X-Served": "yes"})


async def start() -> web.AppRunner:
    """An upstream on a free port."""
    app = web.Application(client_max_size=2**23)
    app.router.add_route("*", "/{path:.*}", record)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of an upstream that keeps what it gets."""
    with background_loop() as run:
        runner = run(start())
        yield runner.addresses[0][1]
        run(runner.cleanup())


@pytest.fixture(params=NAMES)
async def transport(port: int, request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """A transport of each kind to the upstream."""
    SENT.clear()
    base_url = f"http://127.0.0.1:{port}/lab"
    opened = open_transport(
        ProviderSettings("lab", "openai_chat", base_url, headers={"X-Lab": "row"}, transport=request.param), "key"
    )
    yield opened
    await opened.close()


async def answer(transport: Transport, call: UpstreamCall) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to `call`."""
    reply = await transport.send(call, 5.0)
    body = b"".join([chunk async for chunk in reply.chunks()])
    await reply.close()
    return reply.status, json.loads(body)


async def test_transports_post_json_below_the_base_url(transport: Transport) -> None:
    call = UpstreamCall("/model/a%3Ab%2Fc/converse", {"text": "é"})

    assert await answer(transport, call) == (200, {"id": 1})

    ((method, path, lab, kind, body),) = SENT
    assert (method, path, lab, kind) == ("POST", "/lab/model/a%3Ab%2Fc/converse", "row", "application/json")
    assert json.loads(body) == {"text": "é"}


async def test_transports_post_bytes_with_their_own_headers(transport: Transport) -> None:
    call = UpstreamCall("/audio", b"\x00\xff", headers={"Content-Type": "audio/wav", "X-Lab": "call"})

    await answer(transport, call)

    assert SENT == [("POST", "/lab/audio", "call", "audio/wav", b"\x00\xff")]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_transports_send_other_methods_without_a_body(transport: Transport, method: Any) -> None:
    assert await answer(transport, UpstreamCall("/models", b"", method)) == (200, {"id": 1})

    ((sent, path, lab, _kind, body),) = SENT
    assert (sent, path, lab, body) == (method, "/lab/models", "row", b"")


async def test_long_bodies_arrive_as_they_are(transport: Transport) -> None:
    body = {"input": "words " * 600_000}

    await answer(transport, UpstreamCall("/chat", body))

    ((_, _, _, _, sent),) = SENT
    assert json.loads(sent) == body
