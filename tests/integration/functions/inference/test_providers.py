"""What each provider answers, played at the wire through the whole pipeline for callers of every dialect."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category, Model, ProviderRoute
from callmissed.catalog.prices import token_price
from callmissed.money import CREDIT
from local.aws.tables import StageTables
from tests.support.inference.behaviours import ordinary
from tests.support.inference.gateway import REGION, Account, Accounts, gateway_at_work, settings_for
from tests.support.inference.provider_fixtures import PRICES, ProviderCase, provider_cases
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, MESSAGES, RESPONSES, events_of, refused

CASES = provider_cases()
BUILT_IN = load_catalog()
SPEAKING = {name: row for name, row in BUILT_IN.providers.items() if row.dialect != "native" and row.base_url}
"""Providers that answer in a dialect, over a network."""

OVERLOADED = 529
"""What Anthropic's dialect says in the place of 503."""

PLAYED = [
    (case, path, bool(case.streamed) if not case.is_refusal else path == MESSAGES)
    for case in CASES
    for path in (CHAT, MESSAGES, RESPONSES)
]
IDS = [f"{case.provider}-{case.name}-{path.rpartition('/')[2]}" for case, path, _ in PLAYED]


def model_of(case: ProviderCase) -> str:
    """Id of the one model with which a case is played, so that no case counts against another's route."""
    return f"{case.provider}/{case.name.replace(' ', '-').replace(',', '').replace(chr(39), '')}"


def priced(model_id: str, provider: str) -> Model:
    amounts = {name: price * CREDIT for name, price in PRICES.items()}
    return Model(
        id=model_id,
        name=model_id,
        category=Category.LLM,
        routes=(ProviderRoute(provider, "upstream"),),
        max_output_tokens=4_096,
        context_window=128_000,
        price=token_price(amounts["input"], amounts["output"], amounts["cached"], amounts["written"]),
    )


@pytest.fixture(scope="module")
def provider_upstream() -> Iterator[FakeUpstream]:
    """The one server behind all providers."""
    with FakeUpstream(ordinary).serving() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(
    store: StageTables, providers_file: Path, provider_upstream: FakeUpstream
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose providers have their built-in rows, but for the base URL."""
    base = f"http://127.0.0.1:{provider_upstream.port}"
    rows = {name: replace(row, base_url=f"{base}/{name}") for name, row in SPEAKING.items()}
    models = {model_of(case): priced(model_of(case), case.provider) for case in CASES}
    catalog = Catalog(models, {**BUILT_IN.providers, **rows})
    keys = {str(row.api_key_env): f"key-of-{name}" for name, row in rows.items()}
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    settings = settings_for(store, providers_file)
    with gateway_at_work(settings, dynamodb=dynamodb, catalog=catalog, environment=keys) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


def test_every_provider_with_a_dialect_has_its_cases() -> None:
    played = {case.provider for case in CASES}

    assert played == set(SPEAKING)
    for name in played:
        own = [case for case in CASES if case.provider == name]
        whole = [case for case in own if case.expected.status == 200 and not case.expected.broken]
        assert {bool(case.streamed) for case in whole} == {True, False}, name
        assert {400, 503} <= {case.expected.status for case in own}, name
        assert len({case.name for case in own}) == len(own), name


@pytest.mark.parametrize(("case", "path", "streamed"), PLAYED, ids=IDS)
async def test_answer_of_a_provider_reaches_the_caller_and_the_bill(
    callers: httpx2.AsyncClient,
    accounts: Accounts,
    provider_upstream: FakeUpstream,
    case: ProviderCase,
    path: str,
    streamed: bool,
) -> None:
    account = await accounts.account()
    provider_upstream.forget()
    provider_upstream.otherwise = case.behaviour

    response = await callers.post(path, json=asked(case, path, streamed=streamed), headers=account.headers)

    assert not [text for text in case.secrets if text in response.text]
    if case.expected.code:
        status = case.expected.status
        refused(response, OVERLOADED if (path, status) == (MESSAGES, 503) else status, case.expected.code)
        assert await accounts.assert_balanced(account) == 0
        return
    assert response.status_code == 200, response.text
    assert said(path, response, streamed=streamed) == shown(case)
    if streamed:
        assert response.content.endswith(b"\n\n")
    assert has_error(path, response) is case.expected.broken
    await assert_billed(accounts, account, case)


def asked(case: ProviderCase, path: str, *, streamed: bool) -> Mapping[str, Any]:
    messages, options = [{"role": "user", "content": "Hello"}], {"model": model_of(case), "stream": streamed}
    if path == RESPONSES:
        return {**options, "input": messages, "max_output_tokens": 500, "store": False}
    return {**options, "messages": messages, "max_tokens": 500}


async def assert_billed(accounts: Accounts, account: Account, case: ProviderCase) -> None:
    charged = await accounts.assert_balanced(account)
    usage = (await accounts.entry(account.tenant))["usage"]
    assert usage.get("estimated", False) is case.expected.estimated
    assert usage["outcome"] == ("upstream_broke" if case.expected.broken else "completed")
    if case.expected.estimated:
        assert charged > 0
    else:
        assert charged == case.expected.cost


def shown(case: ProviderCase) -> tuple[str, str, list[str]]:
    return case.expected.text, case.expected.thinking, case.expected.tools


def has_error(path: str, response: httpx2.Response) -> bool:
    return ("event: response.failed" if path == RESPONSES else '"error"') in response.text


def said(path: str, response: httpx2.Response, *, streamed: bool) -> tuple[str, str, list[str]]:
    """Text, thinking and names of called tools, as the caller's SDK would add them up."""
    if path == CHAT:
        bodies = chunks(response.content) if streamed else [response.json()]
        return chat_said([choice for body in bodies for choice in body.get("choices", ())])
    if path == RESPONSES:
        return items_said(events_of_responses(response.content) if streamed else response.json()["output"])
    blocks = message_blocks(response.content) if streamed else response.json()["content"]
    texts = "".join(block["text"] for block in blocks if block["type"] == "text")
    thoughts = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    return texts, thoughts, [block["name"] for block in blocks if block["type"] == "tool_use"]


def chat_said(choices: list[dict[str, Any]]) -> tuple[str, str, list[str]]:
    text, thinking, tools = "", "", list[str]()
    for choice in choices:
        message = choice.get("delta") or choice.get("message") or {}
        content: Any = message.get("content") or ""
        parts: list[Any] = content if isinstance(content, list) else [{"type": "text", "text": content}]
        text += "".join(part["text"] for part in parts if part["type"] == "text")
        inner = (each["text"] for part in parts if part["type"] == "thinking" for each in part["thinking"])
        thinking += "".join(inner) + (message.get("reasoning_content") or message.get("reasoning") or "")
        calls = message.get("tool_calls") or ()
        tools += [call["function"]["name"] for call in calls if call["function"].get("name")]
    return text, thinking, tools


def chunks(body: bytes) -> list[dict[str, Any]]:
    return [event for event in events_of(body) if event != "[DONE]"]


def message_blocks(body: bytes) -> list[dict[str, Any]]:
    """The blocks of a stream of messages."""
    blocks: list[dict[str, Any]] = []
    for line in body.decode().splitlines():
        event = json.loads(line[6:]) if line.startswith("data: ") else {}
        match event.get("type"):
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
            case "content_block_delta":
                for name in ("text", "thinking"):
                    if name in event["delta"]:
                        blocks[event["index"]][name] += event["delta"][name]
            case _:
                pass
    return blocks


def events_of_responses(body: bytes) -> list[dict[str, Any]]:
    """The items of a stream of responses, as they were at its end."""
    lines = [line for line in body.decode().splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1].removeprefix("data: "))["response"]["output"]


def items_said(items: list[dict[str, Any]]) -> tuple[str, str, list[str]]:
    """Text, thinking and names of called functions in the items of a response."""
    texts = [part.get("text", "") for item in items if item["type"] == "message" for part in item["content"]]
    thoughts = [
        part["text"]
        for item in items
        if item["type"] == "reasoning"
        for part in (item.get("content") or item.get("summary") or ())
    ]
    return "".join(texts), "".join(thoughts), [item["name"] for item in items if item["type"] == "function_call"]
