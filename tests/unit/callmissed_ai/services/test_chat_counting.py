"""Tokens that we count ourselves: all that the hold bounds, wherever it is, and no more work than is paid for."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import ProviderRoute
from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.openai_chat.request import MAX_IMAGES, MAX_PARTS, ChatRequest
from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.provider import SandboxProvider
from callmissed_ai.services.chat import parse
from callmissed_ai.services.conversations.work import ChatWork
from tests.support.inference.tokenizer import Tokenizer

CATALOG = load_catalog()
PROMPT = " ".join(f"The {number}th word is about tea, 'milk' and\nsugar." for number in range(400))
HELLO = {"role": "user", "content": "Hello"}
BIG = "hello there " * 300_000


def call(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]}


def tool(**function: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f", **function}}]


def places(text: str) -> dict[str, dict[str, Any]]:
    """The text at each place of a request that has room for a prompt."""
    schema = {"type": "object", "properties": {"x": {"type": "string", "description": text}}}
    return {
        "content": {"messages": [HELLO, {"role": "user", "content": text}]},
        "a part": {"messages": [HELLO, {"role": "user", "content": [{"type": "text", "text": text}]}]},
        "name": {"messages": [HELLO, {"role": "user", "content": "", "name": text}]},
        "refusal": {"messages": [HELLO, {"role": "assistant", "refusal": text}]},
        "reasoning": {"messages": [HELLO, {"role": "assistant", "reasoning": text}]},
        "reasoning_content": {"messages": [HELLO, {"role": "assistant", "reasoning_content": text}]},
        "arguments": {"messages": [HELLO, call("f", text)]},
        "the name of a call": {"messages": [HELLO, call(text, "{}")]},
        "function_call": {"messages": [HELLO, {"role": "assistant", "function_call": {"name": text}}]},
        "the id of a call": {"messages": [HELLO, {"role": "tool", "tool_call_id": text, "content": ""}]},
        "a tool's description": {"messages": [HELLO], "tools": tool(description=text)},
        "a tool's parameters": {"messages": [HELLO], "tools": tool(parameters=schema)},
        "a key": {"messages": [HELLO], "tools": tool(parameters={"properties": {text: {}}})},
        "functions": {"messages": [HELLO], "functions": [{"name": "f", "description": text}]},
        "response_format": {
            "messages": [HELLO],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        },
        "stop": {"messages": [HELLO], "stop": [text]},
        "user": {"messages": [HELLO], "user": text},
        "metadata": {"messages": [HELLO], "metadata": {"x": text}},
    }


def work_of(**fields: Any) -> ChatWork:
    body = {"model": "sandbox", "messages": [HELLO], "max_tokens": 100, **fields}
    size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
    return parse("openai_chat", CATALOG, body, size)


def charges_of(work: ChatWork, *, sandboxed: bool = False) -> Charges:
    """Charges for a reply without usage and without a word."""
    return asyncio.run(work.meter(work.models[0], work.models[0].routes[0], sandboxed=sandboxed).charges())


@pytest.mark.parametrize("place", places(""))
def test_moving_a_prompt_changes_its_count_by_less_than_a_fifth(place: str) -> None:
    plain, moved = places(PROMPT)["content"], places(PROMPT)[place]

    counted = count_request(work_of(**moved).request.body)

    assert counted == pytest.approx(count_request(work_of(**plain).request.body), rel=0.2)
    assert counted <= work_of(**moved).request.asked.input_tokens


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([*places("")]))
def test_charges_of_our_own_count_are_within_the_hold(text: str, place: str) -> None:
    work = work_of(**places(text)[place])

    charges = charges_of(work)

    assert charges.estimated
    assert charges.cost <= work.estimate
    assert charges.lines[0].quantity <= work.request.asked.input_tokens


def test_image_is_counted_flat_whatever_its_size() -> None:
    def body(url: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}

    small, large = (
        count_request(work_of(**body("data:image/png;base64," + "A" * size)).request.body) for size in (4, 10**6)
    )
    assert 258 < small == large < 300


@pytest.mark.parametrize("place", ["content", "arguments", "a tool's description"])
def test_tokenizer_reads_no_more_than_the_window_that_is_held_for(tokenizer: Tokenizer, place: str) -> None:
    work = work_of(**places(BIG)[place])
    window = work.models[0].context_window
    assert window

    assert charges_of(work).lines[0].quantity == window
    assert tokenizer.characters < 1_000_000 < len(BIG)
    assert max(tokenizer.pieces) <= 16_384


def test_tokenizer_reads_no_more_of_a_reply_than_its_limit(tokenizer: Tokenizer) -> None:
    meter = work_of(n=2).meter(CATALOG.models["sandbox"], CATALOG.models["sandbox"].routes[0])
    meter.feed(json.dumps({"choices": [{"message": {"content": BIG[:1_000_000]}}]}).encode())
    meter.end()

    charges = asyncio.run(meter.charges())

    assert charges.lines[1].quantity == 2 * 100
    assert tokenizer.characters < 50_000


def test_tokenizer_reads_little_for_a_call_that_costs_nothing(tokenizer: Tokenizer) -> None:
    charges = charges_of(work_of(**places(BIG)["content"]), sandboxed=True)

    assert charges.lines[0].quantity > 300_000
    assert tokenizer.characters < 100_000


async def test_sandbox_splits_the_beginning_of_a_long_prompt_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    split = tokens.split
    monkeypatch.setattr(tokens, "split", lambda text: read.append(len(text)) or split(text))
    work = work_of(**places(BIG)["content"], tools=tool(description="x" * 100_000))

    reply = await SandboxProvider().send(work.request_for(work.models[0], ProviderRoute("sandbox", "sandbox")), 10)
    usage = json.loads(b"".join([chunk async for chunk in reply.chunks()]))["usage"]

    assert usage["prompt_tokens"] > 300_000
    assert sum(read) < 200_000


def user(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "user", "content": parts}


TEXT = {"type": "text", "text": ""}
IMAGE = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
CROWDS: list[tuple[str, dict[str, Any]]] = [
    ("messages", {"messages": [user([TEXT] * (MAX_PARTS + 1))]}),
    ("messages", {"messages": [user([TEXT] * MAX_PARTS), user([TEXT])]}),
    ("messages", {"messages": [user([TEXT] * 130_000)]}),
    ("messages", {"messages": [{"role": "assistant", "tool_calls": [{}] * (MAX_PARTS + 1)}]}),
    ("tools", {"tools": tool() * (MAX_PARTS + 1)}),
    ("functions", {"functions": [{"name": "f"}] * (MAX_PARTS + 1)}),
]


@pytest.mark.parametrize(("param", "fields"), CROWDS, ids=range(len(CROWDS)))
def test_crowd_is_refused_before_it_is_validated(
    param: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChatRequest, "model_validate", lambda *_: pytest.fail("validated"))

    with pytest.raises(ApiError) as refused:
        work_of(**fields)

    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_request_error", param)
    assert f"{MAX_PARTS:,}" in refused.value.message


def test_more_images_than_a_model_may_get_are_refused() -> None:
    with pytest.raises(ApiError) as refused:
        work_of(messages=[user([IMAGE] * 200), user([IMAGE] * (MAX_IMAGES - 199))])

    assert (refused.value.status, refused.value.param) == (400, "messages")
    assert "250 images" in refused.value.message


def test_as_many_as_allowed_are_served() -> None:
    work = work_of(messages=[user([TEXT] * (MAX_PARTS - MAX_IMAGES) + [IMAGE] * MAX_IMAGES)], tools=tool() * MAX_PARTS)

    assert work.request.asked.input_tokens > MAX_IMAGES * 6_000
