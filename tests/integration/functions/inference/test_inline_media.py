"""Images by URL for providers that take none: fetched by the safe client, or refused with everything given back."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from callmissed_ai.transports import media
from local.aws.tables import StageTables
from tests.support.inference.gateway import REGION, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, MESSAGES, RESPONSES, refused
from tests.support.threads import background_loop

PNG = b"\x89PNG\r\n\x1a\n and more"
DATA = "data:image/png;base64,iVBORw0KGgogYW5kIG1vcmU="


@pytest_asyncio.fixture(scope="session")
async def loopback(store: StageTables, providers_file: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway that may fetch from this machine."""
    settings = replace(settings_for(store, providers_file), allow_loopback=True)
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings, dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


def seen(path: str, url: str) -> dict[str, Any]:
    """A request that shows an image in the dialect of `path`."""
    chat, block = (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image", "source": {"type": "url", "url": url}},
    )
    content = [{"type": "text", "text": "See"}, chat if path == CHAT else block]
    return {"model": "inline-chat", "max_tokens": 50, "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_24_image_by_url_goes_inline(
    loopback: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account = await accounts.account()
    upstream.files["/png"] = (200, PNG)

    response = await loopback.post(
        path, json=seen(path, f"http://127.0.0.1:{upstream.port}/png"), headers=account.headers
    )

    assert response.status_code == 200, response.text
    assert upstream.only.body["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": DATA}}
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150


async def test_provider_that_takes_urls_gets_them(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    body = seen(CHAT, "https://files.invalid/png") | {"model": "lab-eyes"}

    response = await client.post(CHAT, json=body, headers=(await accounts.account()).headers)

    assert response.status_code == 200, response.text
    assert upstream.only.body["messages"] == body["messages"]


async def test_what_is_said_to_the_gateway_is_no_part_of_the_request_with_the_bytes(
    loopback: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.files["/png"] = (200, PNG)
    body = {**seen(MESSAGES, f"http://127.0.0.1:{upstream.port}/png"), "route": "fallback", "models": ["lab-eyes"]}

    response = await loopback.post(MESSAGES, json=body, headers=(await accounts.account()).headers)

    assert response.status_code == 200, response.text
    assert not {"route", "models", "provider"} & set(upstream.only.body)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("file", [(302, b""), (404, b""), (200, b"<svg/>")])
async def test_file_that_can_not_be_used_costs_nothing(
    loopback: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, file: tuple[int, bytes]
) -> None:
    account = await accounts.account()
    upstream.files |= {"/file": file, "/png": (200, PNG)}

    response = await loopback.post(
        path, json=seen(path, f"http://127.0.0.1:{upstream.port}/file"), headers=account.headers
    )

    error = refused(response, 400, "invalid_media_url")
    assert "'messages.0.content.1'" in error["message"]
    assert upstream.requests == []
    await accounts.assert_untouched(account)


BOMB = gzip.compress(PNG + bytes(6_000_000))
LIES: Mapping[str, tuple[bytes, ...]] = {
    "less than promised": (b"Content-Length: 4000\r\n\r\n", PNG),
    "no end": (b"Transfer-Encoding: chunked\r\n\r\n8\r\n", PNG[:8], b"\r\n"),
    "too much": (b"Connection: close\r\n\r\n", PNG, bytes(6_000_000)),
    "too much, packed": (b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB),
    "another type": (b"Content-Type: image/png\r\nContent-Length: 9\r\n\r\n", b"<svg></svg>"[:9]),
    "another coding": (b"Content-Encoding: br\r\nContent-Length: 15\r\n\r\n", PNG),
    "a redirect to itself": (b"Location: /\r\nContent-Length: 0\r\n\r\n",),
    "nothing": (),
}
"""What a server says after the first line of its answer."""


@contextmanager
def lying(pieces: tuple[bytes, ...]) -> Generator[int]:
    """A server that says this and closes, but that hangs where there is no end or nothing; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 302 Found\r\n" if any(b"Location" in piece for piece in pieces) else b"HTTP/1.1 200 OK\r\n"
        with suppress(ConnectionError):
            writer.write(b"".join([head, *pieces]) if pieces else b"")
            await writer.drain()
            if not pieces or b"chunked" in pieces[0]:
                await reader.read()  # until the client has had enough
        writer.close()

    with background_loop() as run:
        server = run(asyncio.start_server(answer, "127.0.0.1", 0))
        yield server.sockets[0].getsockname()[1]
        server.close()


def looped(url: str) -> dict[str, Any]:
    """A responses request in which a tool has answered with an image."""
    call = {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"}
    image = {"type": "input_image", "image_url": url, "detail": "auto"}
    answer = {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "See"}, image]}
    items = [{"role": "user", "content": "Look"}, call, answer]
    return {"model": "inline-chat", "max_output_tokens": 50, "input": items}


@pytest.mark.parametrize("lie", LIES)
async def test_server_that_lies_or_hangs_costs_nothing(
    loopback: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    lie: str,
) -> None:
    monkeypatch.setattr(media, "MAX_SECONDS", 0.5 if lie in ("no end", "nothing") else media.MAX_SECONDS)
    account = await accounts.account()

    with lying(LIES[lie]) as port:
        response = await loopback.post(RESPONSES, json=looped(f"http://127.0.0.1:{port}/png"), headers=account.headers)

    refused(response, 400, "invalid_media_url", param="input.2.output.1")
    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_image_of_a_tool_follows_its_results(
    loopback: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.files["/png"] = (200, PNG)

    response = await loopback.post(
        RESPONSES, json=looped(f"http://127.0.0.1:{upstream.port}/png"), headers=account.headers
    )

    assert response.status_code == 200, response.text
    *_, result, shown = upstream.only.body["messages"]
    assert (result["role"], result["content"]) == ("tool", "See")
    assert shown == {"role": "user", "content": [{"type": "image_url", "image_url": {"url": DATA}}]}


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_private_address_is_never_asked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, scheme: str, host: str
) -> None:
    account = await accounts.account()
    upstream.files["/png"] = (200, PNG)
    body = seen(CHAT, f"{scheme}://{host}:{upstream.port}/png")

    response = await client.post(CHAT, json=body, headers=account.headers)

    refused(response, 400, "invalid_media_url")
    assert upstream.requests == []
