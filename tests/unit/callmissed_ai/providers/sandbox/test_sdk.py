"""The official SDK reads the sandbox's bytes: content, streams, tool calls, structured output, errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel, Field

from callmissed_ai.transports.base import UpstreamCall

MODEL = "lab-chat"
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Step(BaseModel):
    title: str = Field(description="what to do")
    minutes: int


class Plan(BaseModel):
    city: str
    season: Literal["summer", "winter"]
    steps: list[Step]
    parent: "Plan | None"


class GetWeather(BaseModel):
    """Weather of a city."""

    city: str


def user(prompt: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": prompt}]


async def answered(sandbox, request: httpx2.Request) -> tuple[int, dict[str, str], AsyncIterator[bytes]]:
    path = request.url.path.removeprefix("/v1")
    reply = await sandbox.provider.send(UpstreamCall(path, json.loads(request.content)), 30.0)
    return reply.status, dict(reply.headers), reply.chunks()


@pytest.fixture
def client(sandbox) -> Iterator[openai.OpenAI]:
    async def whole(request: httpx2.Request) -> httpx2.Response:
        status, headers, chunks = await answered(sandbox, request)
        return httpx2.Response(status, headers=headers, content=b"".join([chunk async for chunk in chunks]))

    transport = httpx2.MockTransport(lambda request: asyncio.run(whole(request)))
    with openai.OpenAI(
        api_key="k", base_url="http://sandbox/v1", max_retries=0, http_client=httpx2.Client(transport=transport)
    ) as sdk:
        yield sdk


@pytest.fixture
async def async_client(sandbox) -> AsyncIterator[openai.AsyncOpenAI]:
    async def handler(request: httpx2.Request) -> httpx2.Response:
        status, headers, chunks = await answered(sandbox, request)
        return httpx2.Response(status, headers=headers, content=chunks)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    async with openai.AsyncOpenAI(api_key="k", base_url="http://sandbox/v1", max_retries=0, http_client=http) as sdk:
        yield sdk


def test_content_and_usage(client):
    completion = client.chat.completions.create(model=MODEL, messages=user("Hi"), n=2, logprobs=True, top_logprobs=1)
    assert "CallMissed sandbox" in completion.choices[1].message.content
    assert completion.choices[0].logprobs.content[0].top_logprobs[0].logprob == 0.0
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert completion.system_fingerprint == "sandbox"


def test_a_stream_by_hand(client):
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=MODEL, messages=user("Hi"), stream=True, stream_options=options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    completion = client.chat.completions.create(model=MODEL, messages=user("Hi"))
    assert text == completion.choices[0].message.content
    assert chunks[-1].usage == completion.usage


def test_a_tool_loop(client):
    messages = user("What's the weather in Rome?")
    message = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER]).choices[0].message
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Rome"})
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    final = client.chat.completions.create(model=MODEL, messages=[*messages, message, result], tools=[WEATHER])
    assert "“21 degrees”" in final.choices[0].message.content


def test_structured_output_parses_into_the_model(client):
    plan = client.chat.completions.parse(
        model=MODEL, messages=user("A winter trip to Oslo, 3 steps"), response_format=Plan
    )
    parsed = plan.choices[0].message.parsed
    assert isinstance(parsed, Plan)
    assert (parsed.city, parsed.season, parsed.steps[0].minutes) == ("Oslo", "winter", 3)


def test_strict_tools_parse_into_the_model(client):
    tool = openai.pydantic_function_tool(GetWeather)
    completion = client.chat.completions.parse(model=MODEL, messages=user("Call GetWeather for Oslo"), tools=[tool])
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Oslo")


def test_a_reply_cut_short_is_the_sdks_own_error(client):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=MODEL, messages=user("Oslo"), response_format=Plan, max_tokens=3)


@pytest.mark.parametrize(
    ("instruction", "error"),
    [
        ("rate_limit", openai.RateLimitError),
        ("error", openai.InternalServerError),
        ("overload", openai.InternalServerError),
        ("bad_request", openai.BadRequestError),
        ("auth", openai.AuthenticationError),
    ],
)
def test_failures_are_the_sdks_own_errors(client, instruction, error):
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=user(f"sandbox:{instruction}"))
    assert caught.value.body["message"]


async def test_an_async_stream_of_events(async_client):
    tools = [openai.pydantic_function_tool(GetWeather)]
    async with async_client.chat.completions.stream(
        model=MODEL, messages=user("Call GetWeather for Oslo"), tools=tools
    ) as stream:
        kinds = [event.type async for event in stream]
        completion = await stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Oslo")


async def test_an_async_stream_of_structured_output(async_client):
    async with async_client.chat.completions.stream(
        model=MODEL, messages=user("A summer in Rome"), response_format=Plan, stream_options={"include_usage": True}
    ) as stream:
        async for event in stream:
            assert event.type != "error"
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.parsed.season == "summer"
    assert completion.usage.completion_tokens > 0


async def test_an_async_stream_with_choices_reasoning_and_logprobs(async_client):
    async with async_client.chat.completions.stream(
        model=MODEL, messages=user("Hi"), n=2, logprobs=True, reasoning_effort="high"
    ) as stream:
        completion = await stream.get_final_completion()
    for choice in completion.choices:
        assert "fixed rules" in choice.message.reasoning_content
        assert "".join(entry.token for entry in choice.logprobs.content) == choice.message.content
