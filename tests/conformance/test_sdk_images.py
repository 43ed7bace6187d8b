"""Images through the official SDKs, from the running stack."""

import base64
from typing import Any

import httpx2
import pytest_asyncio

from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.image_objects import png
from tests.support.inference.upstream import FakeUpstream
from tests.support.sdks.interface import Sdk

GENERATE = "images.generate"


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


def drawn(sdk: Sdk, account: Account, **fields: Any) -> list[dict[str, Any]]:
    return sdk.call(account.secret, GENERATE, model="lab-image", prompt="A lighthouse", **fields)["data"]


def test_bytes_arrive(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    images = drawn(sdk, account, n=2, size="512x512")

    assert [base64.b64decode(each["b64_json"]) for each in images] == [png(0), png(1)]


def test_url_leads_to_the_image_and_the_history_has_it(
    sdk: Sdk, account: Account, upstream: FakeUpstream, base_url: str
) -> None:
    (image,) = drawn(sdk, account, response_format="url")

    shown = httpx2.get(image["url"], trust_env=False)
    history = httpx2.get(f"{base_url}/images/history", headers=account.headers, params={"limit": 1}, trust_env=False)
    past = httpx2.get(history.json()["data"][0]["url"], trust_env=False)
    assert (shown.content, shown.headers["content-type"]) == (png(0), "image/png")
    assert (past.content, past.headers["content-disposition"]) == (png(0), "inline")
