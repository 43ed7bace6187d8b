"""An operator's own server for every service: `docs/examples/services.toml` in front of a scripted upstream."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from callmissed.money import CREDIT
from local.aws.tables import StageTables
from local.paths import ROOT
from tests.support.inference.gateway import REGION, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, draw, embed, search, speak, transcribe

EXAMPLE = ROOT / "docs" / "examples" / "services.toml"
CALLS = {
    "llm": (partial(chat, model="lab-chat"), "/v1/chat/completions", "some-model", 11 * 1 + 7 * 2),
    "embedding": (partial(embed, model="lab-embedding"), "/v1/embeddings", "some-embedder", None),
    "stt": (partial(transcribe, model="lab-listener"), "/v1/audio/transcriptions", "whisper-1", 2 * CREDIT // 100),
    "tts": (partial(speak, model="lab-speaker"), "/v1/audio/speech", "tts-1", 11 * 15 * CREDIT // 10_000),
    "image": (partial(draw, model="lab-painter"), "/v1/images/generations", "some-diffusion", 2 * CREDIT),
    "search": (partial(search, provider="serper"), "/search", None, CREDIT),
}
"""Of each category a call, the path at which the operator's server gets it, the model's id there, and its cost."""


@pytest_asyncio.fixture(scope="module")
async def client(
    lab: FakeUpstream, store: StageTables, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    file = tmp_path_factory.mktemp("operator") / "services.toml"
    file.write_text(EXAMPLE.read_text().replace("127.0.0.1:9000", f"127.0.0.1:{lab.port}"))
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings_for(store, Path(file)), dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


@pytest.mark.parametrize("category", CALLS)
async def test_every_category_is_served_and_billed(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, category: str
) -> None:
    call, path, upstream_id, cost = CALLS[category]
    account = await accounts.account()

    response = await call(client, account)

    assert response.status_code == 200, response.text
    assert upstream.only.path == path
    assert upstream_id is None or upstream_id in str(upstream.only.body)
    charged = await accounts.assert_balanced(account)
    assert charged > 0
    assert cost is None or charged == cost


async def test_search_without_a_provider_asks_the_one_that_is_configured(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    found = await search(client, await accounts.account())

    assert found.json()["provider"] == "serper"
    assert upstream.only.path == "/search"
