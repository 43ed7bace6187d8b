"""The sandbox through messages with a test key: signed thinking, a cache, and failures on demand."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from callmissed.keys.secret import Mode
from tests.support.inference.gateway import Accounts, ServedGateway

USER: dict[str, Any] = {"role": "user", "content": "What is the weather in Pune?"}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
MARK = {"type": "ephemeral"}
WAYS_TO_THINK: list[dict[str, Any]] = [
    {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"thinking": {"type": "adaptive"}},
    {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
]


@pytest.fixture
async def sdk(gateway: ServedGateway, accounts: Accounts) -> AsyncIterator[anthropic.AsyncAnthropic]:
    account = await accounts.account(mode=Mode.TEST)
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=account.secret, max_retries=0) as sdk:
        yield sdk


async def ask(sdk: anthropic.AsyncAnthropic, *messages: Any, **fields: Any) -> Message:
    asked: dict[str, Any] = {"model": "claude-opus-4.6", "max_tokens": 10_000, "messages": list(messages) or [USER]}
    return await sdk.messages.create(**{**asked, **fields})


def turn(message: Message) -> dict[str, Any]:
    return {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}


@pytest.mark.parametrize("asked", WAYS_TO_THINK)
async def test_thinks_when_asked_and_reads_its_thoughts_again(
    sdk: anthropic.AsyncAnthropic, asked: dict[str, Any]
) -> None:
    message = await ask(sdk, **asked)
    again = await ask(sdk, **asked)
    thought, text = message.content
    assert thought.type == "thinking"
    assert text.type == "text"
    assert thought.thinking
    assert thought.signature
    assert message.content == again.content

    continued = await ask(sdk, USER, turn(message), USER, **asked)

    assert continued.stop_reason == "end_turn"


async def test_does_not_think_unasked(sdk: anthropic.AsyncAnthropic) -> None:
    for asked in ({}, {"thinking": {"type": "disabled"}}, {"output_config": {"effort": "low"}}):
        assert [block.type for block in (await ask(sdk, **asked)).content] == ["text"]


async def test_streamed_thinking_adds_up_to_the_whole(sdk: anthropic.AsyncAnthropic) -> None:
    asked: dict[str, Any] = {
        "model": "claude-opus-4.6",
        "max_tokens": 10_000,
        "messages": [USER],
        "tools": [WEATHER],
        **WAYS_TO_THINK[0],
    }
    whole = await sdk.messages.create(**asked)
    async with sdk.messages.stream(**asked) as stream:
        streamed = await stream.get_final_message()

    assert [block.type for block in whole.content] == ["thinking", "tool_use"]
    left_out = {"content": {"__all__": {"id"}}, "id": True}
    assert streamed.model_dump(exclude=left_out) == whole.model_dump(exclude=left_out)


async def test_thought_goes_back_with_the_result_of_its_tool(sdk: anthropic.AsyncAnthropic) -> None:
    asked: dict[str, Any] = {"tools": [WEATHER], **WAYS_TO_THINK[0]}
    message = await ask(sdk, **asked)
    call = message.content[1]
    assert call.type == "tool_use"
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny, 31"}]}

    answered = await ask(sdk, USER, turn(message), result, **asked)

    assert "Sunny, 31" in str(answered.content)


WRONG: dict[str, dict[str, str]] = {
    "another text": {"thinking": "Something else"},
    "a text cut off": {"thinking": ""},
    "another signature": {"signature": "EqQBCkYIBRgCIkDSome0thers"},
    "a signature cut off": {"signature": "callmissed-1:W3sib3Bl"},
    "no signature": {"signature": ""},
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("is_open", [True, False])
async def test_changed_thought_is_refused(sdk: anthropic.AsyncAnthropic, case: str, is_open: bool) -> None:
    asked: dict[str, Any] = {"tools": [WEATHER], **WAYS_TO_THINK[0]}
    answer = turn(await ask(sdk, **asked))
    answer["content"][0] |= WRONG[case]
    call = answer["content"][1]["id"]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": "Sunny"}]}
    more = [] if is_open else [{"role": "assistant", "content": "It is sunny."}, USER]

    with pytest.raises(anthropic.BadRequestError, match=r"Invalid `signature` in `thinking` block"):
        await ask(sdk, USER, answer, result, *more, **asked)


async def test_redacted_thought_of_another_model_is_refused(sdk: anthropic.AsyncAnthropic) -> None:
    foreign = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "EmwKAhgB"}]}

    with pytest.raises(anthropic.BadRequestError, match=r"Invalid `data` in `redacted_thinking` block"):
        await ask(sdk, USER, foreign, USER)


def cached(message: Message) -> tuple[int | None, int | None]:
    """Tokens read from the cache, and written to it."""
    return message.usage.cache_read_input_tokens, message.usage.cache_creation_input_tokens


async def test_first_call_writes_the_cache_and_later_ones_read_it(sdk: anthropic.AsyncAnthropic) -> None:
    system = [{"type": "text", "text": "You know all of this: " + "word " * 100, "cache_control": MARK}]
    unmarked = await ask(sdk, system=system[0]["text"])
    first = await ask(sdk, system=system)
    later = await ask(sdk, USER, turn(first), USER, system=system)
    again = await ask(sdk, {"role": "user", "content": "sandbox:cached"}, system=system)

    assert cached(unmarked) == (0, 0)
    read, written = cached(first)
    assert (read, first.usage.input_tokens + (written or 0)) == (0, unmarked.usage.input_tokens)
    assert 100 <= (written or 0) < unmarked.usage.input_tokens
    assert cached(later) == cached(again) == (written, 0)


async def test_growing_conversation_reads_what_it_wrote(sdk: anthropic.AsyncAnthropic) -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "One two three", "cache_control": MARK}]}
    first = await ask(sdk, marked, tools=[WEATHER])
    second = await ask(sdk, marked, turn(first), marked, tools=[WEATHER])

    assert cached(first)[0] == 0
    assert cached(second)[0] == cached(first)[1]
    assert (cached(second)[1] or 0) > 3


async def test_marks_on_tools_and_results_count(sdk: anthropic.AsyncAnthropic) -> None:
    tool = await ask(sdk, tools=[WEATHER | {"cache_control": MARK}])
    call: Any = tool.content[0]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny", "cache_control": MARK}
    answered = await ask(sdk, USER, turn(tool), {"role": "user", "content": [result]}, tools=[WEATHER])

    assert cached(tool)[0] == 0
    assert 0 < (cached(tool)[1] or 0) < (cached(answered)[0] or 0)
    assert (cached(answered)[1] or 0) > 0


@pytest.mark.parametrize(
    ("word", "kind", "status", "name"),
    [
        ("rate_limit", anthropic.RateLimitError, 429, "rate_limit_error"),
        ("error", anthropic.OverloadedError, 529, "overloaded_error"),
        ("overload", anthropic.OverloadedError, 529, "overloaded_error"),
        ("bad_request", anthropic.BadRequestError, 400, "invalid_request_error"),
        ("auth", anthropic.AuthenticationError, 401, "authentication_error"),
        ("garbage", anthropic.InternalServerError, 502, "api_error"),
        ("cut", anthropic.OverloadedError, 529, "overloaded_error"),
    ],
)
async def test_failures_on_demand(
    sdk: anthropic.AsyncAnthropic, word: str, kind: type[anthropic.APIStatusError], status: int, name: str
) -> None:
    with pytest.raises(kind) as raised:
        await ask(sdk, {"role": "user", "content": f"sandbox:{word}"})

    assert type(raised.value) is kind
    assert (raised.value.status_code, raised.value.type) == (status, name)


async def test_stream_is_cut_on_demand(sdk: anthropic.AsyncAnthropic) -> None:
    asked: Any = {"model": "sandbox", "max_tokens": 100, "messages": [{"role": "user", "content": "sandbox:cut"}]}
    with pytest.raises(anthropic.APIStatusError) as raised:
        async with sdk.messages.stream(**asked) as stream:
            await stream.get_final_message()

    assert raised.value.type == "overloaded_error"
