"""What public reports say of streams of messages that were translated, each test by the report it names."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from openai.lib.streaming._deltas import accumulate_delta

from callmissed_ai.dialects.anthropic_messages.stream import MessageStreamPassage
from callmissed_ai.dialects.conversation import Stop
from callmissed_ai.dialects.stream_reader import UnreadableStream
from tests.support.inference.messages import message, message_event
from tests.support.inference.translated import CHAT, FRAME, MESSAGES, chunks_of

START = message_event("message_start", message=message(usage={"input_tokens": 11, "output_tokens": 1}))
STOP = message_event("message_stop")
TEXT = {"type": "text", "text": ""}
USE = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}


def block(index: int, empty: Mapping[str, Any], *deltas: Mapping[str, Any]) -> bytes:
    """The events of a block."""
    return b"".join(
        [
            message_event("content_block_start", index=index, content_block=empty),
            *(message_event("content_block_delta", index=index, delta=delta) for delta in deltas),
            message_event("content_block_stop", index=index),
        ]
    )


def said(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def given_input(text: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": text}


def ending(reason: object = "end_turn", **usage: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None} if reason else {}
    return message_event("message_delta", delta=delta, usage={"output_tokens": 7} | usage)


def choices_of(*events: bytes) -> list[dict[str, Any]]:
    return [choice for chunk in chunks_of(*events) for choice in chunk["choices"]]


def added_up(*events: bytes) -> dict[str, Any]:
    """The message that OpenAI's own library makes of the chunks."""
    whole: dict[object, object] = {}
    for choice in choices_of(*events):
        whole = accumulate_delta(whole, choice["delta"])
    return json.loads(json.dumps(whole))


INPUTS = {
    "none (litellm#5063)": (USE, [], "{}"),
    "an empty delta (llmgateway#2468)": (USE, [given_input("")], "{}"),
    "whole at the start (AntSeed#15)": ({**USE, "input": {"a": 1}}, [], '{"a":1}'),
    "at the start and in deltas (litellm#4537)": (
        {**USE, "input": {"a": 1}},
        [given_input('{"a":'), given_input("1}")],
        '{"a":1}',
    ),
    "as text": ({**USE, "input": '{"a":1}'}, [], '{"a":1}'),
    "null": ({**USE, "input": None}, [given_input('{"a":1}')], '{"a":1}'),
}


@pytest.mark.parametrize(("empty", "deltas", "expected"), INPUTS.values(), ids=INPUTS)
def test_input_of_a_tool(empty: Mapping[str, Any], deltas: Sequence[Mapping[str, Any]], expected: str) -> None:
    (call,) = added_up(START, block(0, empty, *deltas), ending("tool_use"), STOP)["tool_calls"]

    assert call["function"]["arguments"] == expected


def test_each_call_has_its_number_where_blocks_repeat_an_index() -> None:
    uses = [block(0, {**USE, "id": name}, given_input("{}")) for name in "abc"]
    calls = added_up(START, *uses, ending("tool_use"), STOP)["tool_calls"]

    assert [(call["index"], call["id"], call["function"]["arguments"]) for call in calls] == [
        (number, name, "{}") for number, name in enumerate("abc")
    ]


def test_block_that_no_caller_can_have_asked_for_is_left_out() -> None:
    """Searches that the provider makes by itself; the text around them is the reply."""
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    blocks = [block(0, search, given_input('{"query":"x"}')), block(1, found), block(2, TEXT, said("Yes"))]

    assert added_up(START, *blocks, ending(), STOP) == {"role": "assistant", "content": "Yes"}
    whole = message(search, found, {"type": "text", "text": "Yes"})
    assert CHAT.write_reply(MESSAGES.read_reply(whole), FRAME)["choices"][0]["message"]["content"] == "Yes"


def test_unknown_block_passes_within_the_dialect() -> None:
    """A type that is newer than we are must not break callers who know it."""
    events = [START, block(0, {"type": "compaction", "content": "x"}, {"type": "compaction_delta"}), ending()]
    passage = MessageStreamPassage()

    passed = b"".join(written for _, written in [*passage.feed(b"".join([*events, STOP])), *passage.end()])

    assert passed == b"".join(events)


ENDS: Mapping[str, tuple[list[bytes], str]] = {
    "usage after the reason (opencode#46171)": ([ending(), ending(None, output_tokens=9)], "stop"),
    "the reason twice": ([ending(), ending(output_tokens=9)], "stop"),
    "no reason at all": ([ending(None, output_tokens=9)], "stop"),
    "a reason of the future": ([ending("bored", output_tokens=9)], "stop"),
    "a reason that is no text": ([ending(["x"], output_tokens=9)], "stop"),
    "refusal with text (litellm#23793, camel#4210)": ([ending("refusal", output_tokens=9)], "content_filter"),
    "pause": ([ending("pause_turn", output_tokens=9)], "stop"),
    "context (laravel ai#881)": ([ending("model_context_window_exceeded", output_tokens=9)], "length"),
    "tool use without a tool": ([ending("tool_use", output_tokens=9)], "stop"),
}


@pytest.mark.parametrize(("ends", "expected"), ENDS.values(), ids=ENDS)
def test_end_has_one_reason_and_the_last_usage(ends: list[bytes], expected: str) -> None:
    chunks = chunks_of(START, block(0, TEXT, said("a")), *ends, STOP)

    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == [expected]
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")] == [9]


def test_called_tool_is_the_reason_where_the_end_is_called_natural() -> None:
    """litellm#35663 the other way round: clients look for calls only where the reason says so."""
    choices = choices_of(START, block(0, USE, given_input("{}")), ending("end_turn"), STOP)

    assert choices[-1]["finish_reason"] == "tool_calls"
    use = message({**USE, "input": {"a": 1}}, stop_reason="end_turn")
    assert MESSAGES.read_reply(use).stop is Stop.TOOL_CALLS


USAGES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], tuple[int, int]]] = {
    "none at first (sglang#20678)": ({"input_tokens": 0}, {"input_tokens": 500}, (500, 0)),
    "the same twice (ai-gateway#2239)": (
        {"input_tokens": 500, "cache_read_input_tokens": 1500},
        {"input_tokens": 500, "cache_read_input_tokens": 1500},
        (2000, 1500),
    ),
    "the cache at the end alone": ({"input_tokens": 500}, {"cache_read_input_tokens": 1500}, (2000, 1500)),
    "the cache as a part at the end": (
        {"input_tokens": 2000},
        {"input_tokens": 500, "cache_read_input_tokens": 1500},
        (2000, 1500),
    ),
    "null at the end": ({"input_tokens": 500}, {"input_tokens": None}, (500, 0)),
    "less at the end": ({"input_tokens": 500}, {"input_tokens": 0}, (500, 0)),
}


@pytest.mark.parametrize(("first", "last", "expected"), USAGES.values(), ids=USAGES)
def test_usage_of_two_reports(first: Mapping[str, Any], last: Mapping[str, Any], expected: tuple[int, int]) -> None:
    start = message_event("message_start", message=message(usage={**first, "output_tokens": 1}))
    usage = chunks_of(start, block(0, TEXT, said("a")), ending(**last), STOP)[-1]["usage"]

    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == expected


NAMELESS = {
    "no name of the event": lambda stream: stream.replace(b"event: ", b"x: "),
    "no type in the data": lambda stream: stream.replace(b'"type": "message_stop"', b"").replace(
        b'"type": "content_block_delta", ', b""
    ),
    "CR LF": lambda stream: stream.replace(b"\n", b"\r\n"),
    "no blank": lambda stream: stream.replace(b"data: ", b"data:"),
    "ids and retries": lambda stream: stream.replace(b"event: ", b"id: 1\nretry: 5\n: note\nevent: "),
    "[DONE] after the end": lambda stream: stream + b"data: [DONE]\n\n",
    "[DONE] for the end": lambda stream: stream.replace(STOP, b"data: [DONE]\n\n"),
}


@pytest.mark.parametrize("change", NAMELESS.values(), ids=NAMELESS)
def test_odd_events(change: Any) -> None:
    stream = b"".join([START, block(0, TEXT, said("a")), ending(), STOP])

    assert added_up(change(stream))["content"] == "a"


ERRORS = {
    "before content (sub2api#5567)": [message_event("error", error={"type": "overloaded_error"})],
    "after content (agent-os#2271)": [START, block(0, TEXT, said("a")), message_event("error", error={})],
    "in the form of another dialect": [START, b'data: {"error": {"message": "x"}}\n\n', ending(), STOP],
    "named in the event alone": [START, b"event: error\ndata: {}\n\n", ending(), STOP],
}


@pytest.mark.parametrize("events", ERRORS.values(), ids=ERRORS)
def test_error_is_no_success(events: list[bytes]) -> None:
    with pytest.raises(UnreadableStream):
        chunks_of(*events)


MISPLACED = {
    "delta of no block": [message_event("content_block_delta", index=3, delta=said("a"))],
    "text in a tool's input (litellm#13638)": [block(0, USE, said('{"a":1}'))],
    "input in a text (litellm#29286)": [block(0, TEXT, given_input('{"a":1}'))],
}


@pytest.mark.parametrize("events", MISPLACED.values(), ids=MISPLACED)
def test_delta_in_the_wrong_block_is_no_success(events: list[bytes]) -> None:
    with pytest.raises(UnreadableStream):
        chunks_of(START, *events, ending(), STOP)


def test_signature_of_a_text_is_ignored() -> None:
    signed = {"type": "signature_delta", "signature": "c2ln"}

    assert added_up(START, block(0, TEXT, said("a"), signed), ending(), STOP)["content"] == "a"


def test_empty_reply_is_a_reply() -> None:
    """Portkey#450, spacebot#171: the model has nothing more to say after its tools."""
    assert choices_of(START, ending(), STOP)[-1]["finish_reason"] == "stop"
    assert MESSAGES.read_reply({**message(), "content": []}).parts == ()
