"""Images through the official SDKs and Vercel's, from the running stack."""

import base64
import json
import subprocess
from typing import Any

import httpx2
import pytest_asyncio

from callmissed.keys.secret import Mode
from callmissed_ai.providers.sandbox.images import image_size
from local.paths import ROOT
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.image_objects import png
from tests.support.inference.upstream import FakeUpstream
from tests.support.sdks.interface import Sdk

GENERATE = "images.generate"
CLIENTS = ROOT / "tests" / "conformance" / "clients"
GUARD_SECONDS = 60


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


@pytest_asyncio.fixture(scope="session")
async def tester(accounts: Accounts) -> Account:
    return await accounts.account(mode=Mode.TEST)


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


def test_vercels_sdk_draws(tester: Account, base_url: str) -> None:
    command = ["node", "draw_ai_sdk.mjs", base_url, tester.secret]

    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False)

    assert done.returncode == 0, done.stderr
    images = [base64.b64decode(each) for each in json.loads(done.stdout)]
    assert [image_size(each) for each in images] == [("PNG", 64, 96)] * 2
