import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def gathered(chunks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Per choice: reasoning, content, tool calls and finish reason, put together from the deltas."""
    found: dict[int, dict[str, Any]] = {}
    for choice in itertools.chain.from_iterable(chunk["choices"] for chunk in chunks):
        state = found.setdefault(choice["index"], {"content": "", "reasoning": "", "calls": {}, "finish": None})
        delta = choice["delta"]
        state["content"] += delta.get("content") or ""
        state["reasoning"] += delta.get("reasoning_content") or ""
        for call in delta.get("tool_calls", ()):
            known = state["calls"].setdefault(call["index"], {"id": call.get("id"), "name": "", "arguments": ""})
            known["name"] += call["function"].get("name", "")
            known["arguments"] += call["function"]["arguments"]
        state["finish"] = choice["finish_reason"] or state["finish"]
    return found


async def test_role_first_then_words_then_the_finish(sandbox):
    chunks = await sandbox.stream("Hi")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert all(set(delta) == {"content"} and delta["content"] for delta in deltas[1:-1])
    assert len(deltas) > 10
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]
    assert all(chunk["object"] == "chat.completion.chunk" and "usage" not in chunk for chunk in chunks)
    assert len({(chunk["id"], chunk["created"], chunk["system_fingerprint"]) for chunk in chunks}) == 1


async def test_usage_comes_last_and_is_null_before(sandbox):
    chunks = await sandbox.stream("Hi", stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == (await sandbox.ask("Hi"))["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


async def test_no_usage_unless_asked(sandbox):
    chunks = await sandbox.stream("Hi", stream_options={"include_usage": False})
    assert not any("usage" in chunk for chunk in chunks)


async def test_tool_calls_come_in_pieces(sandbox):
    prompt = "get_weather in New Delhi"
    chunks = await sandbox.stream(prompt, tools=[WEATHER])
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": None, "refusal": None}
    (opening,) = deltas[1]["tool_calls"]
    assert (opening["type"], opening["function"]) == ("function", {"name": "get_weather", "arguments": ""})
    assert len(deltas) > 6
    (state,) = gathered(chunks).values()
    (whole,) = (await sandbox.ask(prompt, tools=[WEATHER]))["choices"][0]["message"]["tool_calls"]
    assert state["calls"][0]["arguments"] == whole["function"]["arguments"] == '{"city":"New Delhi"}'
    assert state["finish"] == "tool_calls"


async def test_reasoning_comes_before_the_content(sandbox):
    chunks = await sandbox.stream("Hi", reasoning_effort="high")
    kinds = [next(iter(chunk["choices"][0]["delta"]), "end") for chunk in chunks[1:-1]]
    assert [kind for kind, _ in itertools.groupby(kinds)] == ["reasoning_content", "content"]


async def test_logprobs_stand_with_their_token(sandbox):
    chunks = await sandbox.stream("Hi", logprobs=True, max_tokens=3)
    for choice in (chunk["choices"][0] for chunk in chunks[1:-1]):
        (entry,) = choice["logprobs"]["content"]
        assert entry["token"] == choice["delta"]["content"]


async def test_choices_take_turns(sandbox):
    chunks = await sandbox.stream("Hi", n=3)
    assert [chunk["choices"][0]["index"] for chunk in chunks[:6]] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("fields", [{}, {"n": 2}, {"tools": [WEATHER], "tool_choice": "required"}])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 80), effort=st.sampled_from(["low", "medium", "high"]), stop=st.sampled_from([[], ["not"]]))
async def test_a_stream_says_what_the_blocking_reply_says(sandbox, fields, limit, effort, stop):
    options = {**fields, "max_tokens": limit, "reasoning_effort": effort, "stop": stop}
    streamed = gathered(await sandbox.stream("What is it in Rome?", **options))
    for choice in (await sandbox.ask("What is it in Rome?", **options))["choices"]:
        state = streamed[choice["index"]]
        assert state["content"] == (choice["message"]["content"] or "")
        assert state["reasoning"] == choice["message"].get("reasoning_content", "")
        assert state["finish"] == choice["finish_reason"]
        calls = choice["message"].get("tool_calls", [])
        assert [call["arguments"] for call in state["calls"].values()] == [c["function"]["arguments"] for c in calls]


async def test_every_chunk_of_a_stream_is_paced(sandbox):
    chunks = await sandbox.stream("Hi")
    assert sandbox.slept == [0.015] * (len(chunks) + 1)


async def test_a_blocking_reply_does_not_wait(sandbox):
    await sandbox.ask("Hi")
    assert sandbox.slept == []


async def test_the_first_chunk_comes_before_the_rest_is_paced(sandbox):
    reply = await sandbox.send({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True})
    first = await anext(aiter(reply.chunks()))
    assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["role"] == "assistant"
    assert len(sandbox.slept) == 1


async def test_nothing_is_written_after_close(sandbox):
    reply = await sandbox.send({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True})
    chunks = reply.chunks()
    await anext(chunks)
    await reply.close()
    assert [chunk async for chunk in chunks] == []
