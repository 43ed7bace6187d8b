"""Images by URL for providers that take none: fetched by the safe client, or refused with everything given back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.inference.gateway import REGION, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, MESSAGES, refused

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
