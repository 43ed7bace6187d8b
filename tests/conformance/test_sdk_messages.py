"""Messages through the official Anthropic SDK, served by an upstream of the chat dialect."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest
import pytest_asyncio

from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
WEATHER: Any = {"name": "weather", "description": "The weather", "input_schema": {"type": "object", "properties": {}}}


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> AsyncIterator[Account]:
    yield await accounts.account(credits=10_000)


@pytest.fixture
def client(base_url: str, account: Account) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=base_url.removesuffix("/v1"), api_key=account.secret, max_retries=0) as client:
        yield client


def test_message_is_translated_there_and_back(client: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    message = client.messages.create(model="lab-chat", max_tokens=50, system="Be kind.", messages=HELLO)

    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello there"
    assert (message.stop_reason, message.model, message.role) == ("end_turn", "lab-chat", "assistant")
    assert message.usage.input_tokens == 11
    assert upstream.only.body["messages"] == [{"role": "system", "content": "Be kind."}, *HELLO]
    assert upstream.only.body["max_tokens"] == 50


def test_stream_adds_up_to_the_message(client: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    with client.messages.stream(model="lab-chat", max_tokens=50, messages=HELLO) as stream:
        message = stream.get_final_message()

    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello there, friend"
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens == 11


def test_tool_call_and_its_result(client: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    call = {"id": "functions.weather:0", "type": "function", "function": {"name": "weather", "arguments": '{"a":1}'}}
    upstream.will(reply(completion(None, tool_calls=[call])))

    message = client.messages.create(model="lab-chat", max_tokens=50, tools=[WEATHER], messages=HELLO)
    (block,) = message.content
    assert block.type == "tool_use"
    assert (block.name, block.input, message.stop_reason) == ("weather", {"a": 1}, "tool_use")
    result: Any = {"type": "tool_result", "tool_use_id": block.id, "content": "sunny", "is_error": True}
    answer: Any = {"role": "assistant", "content": [block.model_dump(exclude_none=True)]}
    client.messages.create(
        model="lab-chat",
        max_tokens=50,
        tools=[WEATHER],
        messages=[*HELLO, answer, {"role": "user", "content": [result]}],
    )

    sent = upstream.requests[-1].body["messages"]
    assert sent[2]["tool_call_id"] == sent[1]["tool_calls"][0]["id"]
    assert sent[2]["content"] == "Error: sunny"
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model="lab-chat", system="Be kind.", messages=HELLO, tools=[WEATHER])

    assert 10 < counted.input_tokens < 60


def test_errors_have_the_classes_of_the_sdk(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(model="lab-chat", max_tokens=0, messages=HELLO)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="nothing", max_tokens=5, messages=HELLO)
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="cm_live_wrong").messages.create(model="lab-chat", max_tokens=5, messages=HELLO)
