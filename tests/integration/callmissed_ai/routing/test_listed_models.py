"""OpenRouter's list as processes keep it: asked for once, shared, and kept while it can't be had."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed.platform.tables import TENANTS
from callmissed_ai.routing.listed_models import FRESH_SECONDS, MAX_AGE_SECONDS, RETRY_SECONDS, ListedModels
from callmissed_ai.transports.base import UpstreamCall, UpstreamUnreachable
from local.aws.tables import StageTables
from tests.support.counting import CountingDynamoDB
from tests.support.inference.gateway import REGION
from tests.support.inference.routes import FakeClock

CATALOG = load_catalog()
ID = "acme/model-1"


def document(prompt: str = "0.0000004", **more: Any) -> dict[str, Any]:
    pricing = {"prompt": prompt, "completion": "0.0000016"}
    return {"data": [{"id": ID, "context_length": 200_000, "pricing": pricing, **more}]}


@dataclass
class OpenRouter:
    """OpenRouter's transport and its answers, which may be none."""

    body: Any = field(default_factory=document)
    status: int = 200
    asked: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    before_answer: Callable[[], None] = lambda: None

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> "OpenRouter":
        assert (call.method, call.path, call.body) == ("GET", "/models", b"")
        self.asked += 1
        await asyncio.sleep(0)
        self.before_answer()
        if self.body is None:
            raise UpstreamUnreachable("nobody there")
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Process:
    listed: ListedModels
    openrouter: OpenRouter
    dynamodb: CountingDynamoDB

    async def price(self, model_id: str = ID) -> int | None:
        """The price of input of a model as a call finds it, None where it is not found."""
        model = (await self.listed.catalog_for({"model": model_id})).find(model_id)
        return model.price.input if model and model.price else None

    async def settle(self) -> None:
        """Wait for what runs in the background."""
        if self.listed._loading:  # pyright: ignore[reportPrivateUsage]  nothing else says when it is over
            await asyncio.wait([self.listed._loading])  # pyright: ignore[reportPrivateUsage]  the same


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def processes(tables: StageTables, clock: FakeClock) -> AsyncIterator[list[Process]]:
    made: list[Process] = []
    for _ in range(2):
        openrouter, dynamodb = OpenRouter(), CountingDynamoDB(REGION, tables.endpoint)
        listed = ListedModels(CATALOG, lambda openrouter=openrouter: openrouter, clock)
        listed.database = Database(dynamodb, tables.stage)
        made.append(Process(listed, openrouter, dynamodb))
    yield made
    for process in made:
        await process.listed.close()
        await process.dynamodb.close()


async def test_first_call_waits_for_the_list_and_later_ones_do_not_ask(processes: list[Process]) -> None:
    first, _ = processes

    assert await first.price() == 40_000_000
    assert await first.price(f"{ID}:nitro") == 40_000_000
    assert await first.price("acme/other") is None
    assert (first.openrouter.asked, first.dynamodb.count.operations) == (1, ["GetItem tenants", "PutItem tenants"])


async def test_calls_at_once_ask_once(processes: list[Process]) -> None:
    first, _ = processes

    assert set(await asyncio.gather(*(first.price() for _ in range(20)))) == {40_000_000}
    assert first.openrouter.asked == 1


async def test_list_is_as_old_as_its_request(processes: list[Process], clock: FakeClock) -> None:
    """A process may be frozen between the request and the list's end."""
    first, second = processes
    first.openrouter.before_answer = lambda: clock.passes(FRESH_SECONDS + 1)

    await first.price()
    await first.price()
    await first.settle()
    second.openrouter.body = document("0.0000008")

    assert await second.price() == 80_000_000


async def test_known_models_and_odd_ids_ask_nobody(processes: list[Process]) -> None:
    first, _ = processes

    for body in ({"model": "gpt-4o"}, {"model": "openai/gpt-5.4"}, {"model": 1}, {}, {"model": "x", "models": "a/b"}):
        assert await first.listed.catalog_for(body) is CATALOG
    assert (first.openrouter.asked, first.dynamodb.count.operations) == (0, [])


async def test_fallback_models_are_found_too(processes: list[Process]) -> None:
    catalog = await processes[0].listed.catalog_for({"model": "gpt-4o", "models": [ID]})

    assert catalog.find(ID)
    assert catalog.find("gpt-4o")


async def test_other_process_reads_the_copy(processes: list[Process]) -> None:
    first, second = processes
    await first.price()

    assert await second.price() == 40_000_000
    assert (second.openrouter.asked, second.dynamodb.count.operations) == (0, ["GetItem tenants"])


async def test_list_is_fetched_again_after_an_hour_while_calls_go_on(
    processes: list[Process], clock: FakeClock
) -> None:
    first, second = processes
    await first.price()
    first.openrouter.body = document("0.0000008")
    clock.passes(FRESH_SECONDS + 1)

    assert await first.price() == 40_000_000
    await first.settle()
    assert await first.price() == 80_000_000
    assert await second.price() == 80_000_000
    assert (first.openrouter.asked, second.openrouter.asked) == (2, 0)


@pytest.mark.parametrize(
    "body",
    [None, b"<html>", b"{", {"data": []}, {"error": {}}, document("-1"), document("0"), b"[" * 100_000],
    ids=lambda body: str(body)[:20],
)
async def test_good_copy_outlives_bad_answers_for_a_day(processes: list[Process], clock: FakeClock, body: Any) -> None:
    first, _ = processes
    await first.price()
    first.openrouter.body = body
    for _ in range(3):
        clock.passes(FRESH_SECONDS + 1)
        assert await first.price() == 40_000_000
        await first.settle()
    assert await first.price() == 40_000_000

    clock.passes(MAX_AGE_SECONDS)
    assert await first.price() is None


async def test_failure_is_not_repeated_at_once(processes: list[Process], clock: FakeClock) -> None:
    first, _ = processes
    first.openrouter.status = 503

    assert [await first.price() for _ in range(5)] == [None] * 5
    assert first.openrouter.asked == 1
    first.openrouter.status = 200
    clock.passes(RETRY_SECONDS)
    assert await first.price() == 40_000_000


async def test_model_whose_price_is_in_doubt_is_refused_by_name(processes: list[Process]) -> None:
    first, _ = processes
    free = {"id": "acme/free", "context_length": 9, "pricing": {"prompt": "0", "completion": "0"}}
    first.openrouter.body["data"].append(free)

    with pytest.raises(ApiError) as refused:
        await first.price("acme/free")
    assert (refused.value.status, refused.value.param) == (400, "model")


@pytest.mark.parametrize("broken", [{"models": "?"}, {"models": ""}, {"models": 1}, {"models": "AAAA"}, {"as_of": "x"}])
async def test_broken_copy_is_replaced(processes: list[Process], tables: StageTables, broken: dict[str, Any]) -> None:
    first, second = processes
    await second.price()
    database = Database(first.dynamodb, tables.stage)
    (stored,) = [item async for item in database.scan(TENANTS)]
    await database.put(TENANTS, {**stored, **broken})

    assert await first.price() == 40_000_000
    assert first.openrouter.asked == 1
