"""Chat completions through the official SDKs, blocking: what callers send arrives, and what the upstream says too."""

import json
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel, ConfigDict

from callmissed.keys.secret import Mode
from tests.support.inference.behaviours import USAGE, completion, reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.sdks.interface import Sdk

CREATE = "chat.completions.create"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Pune"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}


class Place(BaseModel):
    """A shape for structured output."""

    model_config = ConfigDict(extra="forbid")

    city: str
    inhabitants: int


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account(credits=10_000)


def test_a_reply(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    reply_ = sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO)

    assert reply_["choices"][0]["message"]["content"] == "Hello there"
    assert reply_["choices"][0]["finish_reason"] == "stop"
    assert {name: reply_["usage"][name] for name in USAGE} == USAGE
    assert reply_["_request_id"].startswith("req_")
    assert upstream.only.body["messages"] == HELLO
    assert upstream.only.body["model"] == "upstream-lab-chat"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 3, "stop": ["\n", "END"], "seed": 42},
        {"stop": "END", "temperature": 0.3, "top_p": 0.9},
        {"frequency_penalty": 0.5, "presence_penalty": -0.5, "logit_bias": {"50256": -100}},
        {"logprobs": True, "top_logprobs": 2, "user": "somebody"},
        {"response_format": {"type": "json_object"}},
        {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False},
        {"tool_choice": {"type": "function", "function": {"name": "weather"}}, "tools": TOOLS},
        {"reasoning_effort": "low", "metadata": {"a": "b"}, "store": False},
        {"extra_body": {"top_k": 5, "repetition_penalty": 1.1, "min_p": 0.05, "x_new": {"deep": [1, None, "é"]}}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_fields_reach_the_upstream_unchanged(
    sdk: Sdk, account: Account, upstream: FakeUpstream, fields: dict[str, Any]
) -> None:
    sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO, max_tokens=100, **fields)

    sent = {name: value for name, value in fields.items() if name != "extra_body"} | fields.get("extra_body", {})
    ours = {"model": "upstream-lab-chat", "messages": HELLO, "max_tokens": 100}
    assert upstream.only.body == sent | ours


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_either_output_limit_is_obeyed(sdk: Sdk, account: Account, upstream: FakeUpstream, field: str) -> None:
    sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO, **{field: 77})

    assert upstream.only.body["max_tokens"] == 77


def test_several_choices(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    body = completion()
    body["choices"] = [body["choices"][0] | {"index": index} for index in range(3)]
    upstream.will(reply(body))

    answer = sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO, n=3)

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]


def test_tools_round_trip(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    upstream.will(reply(completion(None, tool_calls=[CALL])))
    asked = sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO, tools=TOOLS)
    message = asked["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": '{"celsius": 31}'}
    turn = {"role": "assistant", "content": None, "tool_calls": message["tool_calls"]}

    sdk.call(account.secret, CREATE, model="lab-chat", messages=[*HELLO, turn, result], tools=TOOLS)

    assert asked["choices"][0]["finish_reason"] == "tool_calls"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Pune"}
    sent = upstream.requests[1].body["messages"]
    assert sent[1]["tool_calls"] == [CALL]
    assert sent[2] == result


def test_structured_output_is_parsed(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    upstream.will(reply(completion('{"city": "Pune", "inhabitants": 3124458}')))

    parsed = sdk.parse(account.secret, Place, model="lab-chat", messages=HELLO)

    assert parsed == {"city": "Pune", "inhabitants": 3124458}
    sent = upstream.only.body["response_format"]
    assert (sent["type"], sent["json_schema"]["name"]) == ("json_schema", "Place")
    assert set(sent["json_schema"]["schema"]["properties"]) == {"city", "inhabitants"}


def test_images_reach_a_model_that_sees(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}]

    sdk.call(account.secret, CREATE, model="lab-eyes", messages=messages)

    assert upstream.only.body["messages"] == messages


def test_fallback_models(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    more = {"models": ["second-chat"], "route": "fallback"}

    sdk.call(account.secret, CREATE, model="dead-chat", messages=HELLO, extra_body=more)

    assert upstream.only.body["model"] == "upstream-second-chat"


@pytest_asyncio.fixture(scope="session")
async def tester(accounts: Accounts) -> Account:
    return await accounts.account(mode=Mode.TEST)


def test_the_sandbox_answers_without_any_upstream(sdk: Sdk, tester: Account, upstream: FakeUpstream) -> None:
    answer = sdk.call(tester.secret, CREATE, model="gpt-5.5", messages=HELLO)

    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0
    assert upstream.requests == []


def test_the_sandbox_fits_a_schema(sdk: Sdk, tester: Account) -> None:
    parsed = sdk.parse(tester.secret, Place, model="sandbox", messages=HELLO)

    assert Place.model_validate(parsed)


def test_the_sandbox_calls_a_tool(sdk: Sdk, tester: Account) -> None:
    answer = sdk.call(tester.secret, CREATE, model="sandbox", messages=HELLO, tools=TOOLS, tool_choice="required")

    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert set(json.loads(call["function"]["arguments"])) == {"city"}
