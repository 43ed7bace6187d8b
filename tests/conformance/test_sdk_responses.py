"""Responses through the official OpenAI SDK, served by an upstream of the chat dialect."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from pydantic import BaseModel

from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> AsyncIterator[Account]:
    yield await accounts.account(credits=10_000)


@pytest.fixture
def client(base_url: str, account: Account) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base_url, api_key=account.secret, max_retries=0) as client:
        yield client


def test_response_is_translated_there_and_back(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    response = client.responses.create(model="lab-chat", instructions="Be kind.", input="Hello", max_output_tokens=50)

    assert response.output_text == "Hello there"
    assert (response.status, response.model, response.instructions) == ("completed", "lab-chat", "Be kind.")
    assert response.usage
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (11, 7, 18)
    assert upstream.only.body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
    ]
    assert upstream.only.body["max_tokens"] == 50


def test_stream_has_every_event_in_its_order(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="lab-chat", input="Hello", stream=True))

    assert [event.type for event in events] == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *["response.output_text.delta"] * 4,
        *("response.output_text.done", "response.content_part.done", "response.output_item.done"),
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hello there, friend"


def test_helper_of_streams_adds_up_to_the_response(client: openai.OpenAI) -> None:
    with client.responses.stream(model="lab-chat", input="Hello") as stream:
        response = stream.get_final_response()

    assert response.output_text == "Hello there, friend"
    assert response.usage
    assert response.usage.input_tokens == 11


class _City(BaseModel):
    name: str
    people: int


def test_reply_is_parsed_into_a_model(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.will(reply(completion('{"name": "Pune", "people": 7}')))

    response = client.responses.parse(model="lab-chat", input="Which city?", text_format=_City)

    assert response.output_parsed == _City(name="Pune", people=7)
    asked = upstream.only.body["response_format"]
    assert asked["json_schema"]["name"] == "_City"
    assert asked["json_schema"]["strict"] is True


def test_tools_loop_with_the_items_sent_back(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    call = {"id": "functions.weather:0", "type": "function", "function": {"name": "weather", "arguments": '{"a":1}'}}
    details = [{"type": "reasoning.encrypted", "data": "x", "format": "lab", "index": 0}]
    extra = {"google": {"thought_signature": "abc"}}
    thinking = completion(None, tool_calls=[{**call, "extra_content": extra}], reasoning_details=details)
    upstream.will(reply(thinking))
    items: list[Any] = [{"role": "user", "content": "Hello"}]

    response = client.responses.create(model="lab-chat", input=items, tools=[WEATHER])
    assert [item.type for item in response.output] == ["reasoning", "reasoning", "function_call"]
    (made,) = [item for item in response.output if item.type == "function_call"]
    assert (made.name, json.loads(made.arguments)) == ("weather", {"a": 1})
    items += [item.model_dump() for item in response.output]
    items.append({"type": "function_call_output", "call_id": made.call_id, "output": "sunny"})
    client.responses.create(model="lab-chat", input=items, tools=[WEATHER])

    sent = upstream.requests[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[2]["tool_call_id"] == sent[1]["tool_calls"][0]["id"]
    assert sent[1]["tool_calls"][0]["extra_content"] == extra
    assert sent[1]["reasoning_details"] == details


def test_errors_have_the_classes_of_the_sdk(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="max_output_tokens"):
        client.responses.create(model="lab-chat", input="Hello", max_output_tokens=0)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nothing", input="Hello")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="cm_live_wrong").responses.create(model="lab-chat", input="Hello")
