"""Replies with each kind of JSON in each place, for each caller: passed on or refused, never a failure."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from callmissed.catalog.model import DialectName
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.dialects.output_bounds import output_bounds
from callmissed_ai.dialects.stream_meter import StreamMeter
from callmissed_ai.dialects.strict_json import refuse_constant
from callmissed_ai.dialects.translation import NO_NAMES, Translation, translated_reply_meter
from callmissed_ai.errors import provider_broke_off_midstream
from callmissed_ai.streams.sse import data_of, split
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter
from tests.support.coroutines import result_of
from tests.support.inference.any_json import changed

DIALECTS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")
PAIRS = [(caller, upstream) for caller in DIALECTS for upstream in DIALECTS]
FRAME = ReplyFrame("x1", 1, "lab-chat", {"model": "lab-chat", "input": "Hello"})
BOUNDS = output_bounds(100)
TOO_LARGE = 1e308
"""Stands for a number that no float holds."""

VALUES: Sequence[Any] = (None, True, -1, 10**30, TOO_LARGE, "\ud83d", "error", [], [{}], {}, {"type": []})
"""What stands in each place; the half of a surrogate pair too."""

CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
DETAIL = {"type": "reasoning.text", "text": "r", "signature": "s", "index": 0}
CHAT_USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
MESSAGE = {"role": "assistant", "content": "hi", "reasoning_details": [DETAIL], "tool_calls": [CALL]}
CHAT = {"id": "c", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": MESSAGE}], "usage": CHAT_USAGE}
CHUNKS = (
    {"choices": [{"index": 0, "delta": {"content": "hi", "reasoning_content": "r"}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": CHAT_USAGE},
)
BLOCKS: Sequence[Mapping[str, Any]] = (
    {"type": "thinking", "thinking": "t", "signature": "s"},
    {"type": "redacted_thinking", "data": "d"},
    {"type": "text", "text": "hi", "citations": [{"type": "char_location", "cited_text": "c"}]},
    {"type": "tool_use", "id": "a", "name": "look", "input": {"a": 1}},
)
MESSAGES_USAGE = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 1,
    "cache_read_input_tokens": 1,
    "output_tokens": 7,
}
MESSAGES = {
    "id": "m",
    "type": "message",
    "content": [*BLOCKS],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": MESSAGES_USAGE,
}
MESSAGE_EVENTS: Sequence[Mapping[str, Any]] = (
    {"type": "message_start", "message": {**MESSAGES, "content": []}},
    *({"type": "content_block_start", "index": index, "content_block": block} for index, block in enumerate(BLOCKS)),
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "t"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 3},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
)
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "s"}],
    "content": [{"type": "reasoning_text", "text": "c"}],
    "encrypted_content": "e",
}
SAID = {
    "type": "message",
    "id": "msg_1",
    "content": [{"type": "output_text", "text": "hi", "annotations": []}, {"type": "refusal", "refusal": "no"}],
}
CALLED = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "look", "arguments": "{}"}
RESPONSE = {
    "id": "r",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [THOUGHT, SAID, CALLED],
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
    },
}
TEXT = {"output_index": 1, "content_index": 0}
RESPONSE_EVENTS: Sequence[Mapping[str, Any]] = (
    {"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**THOUGHT, "summary": [], "content": []}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "s"},
    {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT},
    {"type": "response.output_item.added", "output_index": 1, "item": {**SAID, "content": []}},
    {"type": "response.content_part.added", **TEXT, "part": {"type": "output_text", "text": ""}},
    {"type": "response.output_text.delta", **TEXT, "delta": "hi"},
    {"type": "response.output_text.done", **TEXT, "text": "hi"},
    {"type": "response.output_item.done", "output_index": 1, "item": SAID},
    {"type": "response.output_item.added", "output_index": 2, "item": {**CALLED, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{}"},
    {"type": "response.output_item.done", "output_index": 2, "item": CALLED},
    {"type": "response.completed", "sequence_number": 12, "response": RESPONSE},
)
WHOLE: Mapping[str, Any] = {"openai_chat": CHAT, "anthropic_messages": MESSAGES, "openai_responses": RESPONSE}
STREAMS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "openai_chat": CHUNKS,
    "anthropic_messages": MESSAGE_EVENTS,
    "openai_responses": RESPONSE_EVENTS,
}


async def charge(reported: TokenUsage | None, written: Callable[[], str]) -> Charges:
    """No charges, but the checks of what they are made of."""
    written()
    if reported:
        assert reported.cached + reported.cache_write <= reported.input
        assert min(reported.input, reported.output, reported.cached, reported.cache_write, reported.reasoning) >= 0
    return Charges([])


def meter_for(caller: DialectName, upstream: DialectName, *, streamed: bool, charges: Charge = charge) -> Meter:
    """The meter of a call, as the chat service makes it."""
    ours, theirs = open_dialect(caller), open_dialect(upstream)
    if ours is theirs:
        return ours.meter(lambda: FRAME, streamed=streamed, wants_usage=True, bounds=BOUNDS, charge=charges)
    if streamed:
        writer = ours.stream_writer(FRAME, wants_usage=True)
        return StreamMeter(Translation(theirs.stream_reader(), writer), BOUNDS, charges)
    write = partial(ours.write_reply, frame=FRAME)
    return translated_reply_meter(theirs.read_reply, write, NO_NAMES, BOUNDS, charges, ours.write_usage)


def put_through(meter: Meter, body: bytes, *, streamed: bool) -> bytes:
    """What the caller gets of `body`, which is metered as the pipeline does it."""
    passed = meter.feed(body)
    if not (meter.finished or meter.broken):
        passed += meter.end()
    assert meter.finished or meter.broken
    if meter.finished or (streamed and meter.begun):
        result_of(meter.charges())
        assert meter.response is None or isinstance(meter.response, Mapping)
    if streamed and meter.begun:
        passed += meter.closing(None if meter.finished else provider_broke_off_midstream(), "req_1")
    return passed


def on_the_wire(value: Any) -> bytes:
    return json.dumps(value).replace(str(TOO_LARGE), "1e999").encode()


def stream_of(events: Sequence[Any]) -> bytes:
    return b"".join(b"data: " + on_the_wire(event) + b"\n\n" for event in events)


def assert_readable(body: bytes) -> None:
    json.loads(body, parse_constant=refuse_constant)


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
def test_whole_reply_with_anything_in_any_place(caller: DialectName, upstream: DialectName) -> None:
    for reply in changed(WHOLE[upstream], VALUES):
        passed = put_through(meter_for(caller, upstream, streamed=False), on_the_wire(reply), streamed=False)
        if passed:
            assert_readable(passed)


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
def test_stream_with_anything_in_any_place(caller: DialectName, upstream: DialectName) -> None:
    events = STREAMS[upstream]
    for number, event in enumerate(events):
        before, after = stream_of(events[:number]), stream_of(events[number + 1 :])
        for other in changed(event, VALUES):
            body = before + stream_of([other]) + after
            passed = put_through(meter_for(caller, upstream, streamed=True), body, streamed=True)
            if caller != upstream:
                for data in map(data_of, split(passed)):
                    assert data in (b"", b"[DONE]") or assert_readable(data) is None


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
def test_event_without_data_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caller: DialectName, upstream: DialectName
) -> None:
    monkeypatch.setattr("callmissed_ai.dialects.openai_responses.reply_writer.time.time", lambda: 1_000.0)
    events = stream_of(STREAMS[upstream])
    plain = put_through(meter_for(caller, upstream, streamed=True), events, streamed=True)
    body = b"data: null\n\n" + events.replace(b"\n\n", b"\n\ndata: null\n\n")

    assert put_through(meter_for(caller, upstream, streamed=True), body, streamed=True) == plain


@pytest.mark.parametrize(
    ("upstream", "body"),
    [
        ("openai_chat", b"data: [DONE]\n\n"),
        ("openai_chat", b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\ndata: [DONE]\n\n'),
        ("openai_chat", b"data: null\n\n"),
        ("openai_chat", b"data: null"),
        ("anthropic_messages", b'data: {"type":"message_stop"}\n\n'),
        ("anthropic_messages", b'data: {"type":"message_start","message":{}}\n\ndata: {"type":"message_stop"}\n\n'),
    ],
)
@pytest.mark.parametrize("caller", DIALECTS)
def test_stream_that_only_ends_is_no_reply(caller: DialectName, upstream: DialectName, body: bytes) -> None:
    meter = meter_for(caller, upstream, streamed=True)
    put_through(meter, body, streamed=True)

    assert (meter.begun, bool(meter.broken)) == (False, True)


def test_tokens_of_contradicting_reports_are_counted_once() -> None:
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 0, "cache_read_input_tokens": 90}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "hi"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 90, "output_tokens": 7},
        },
        {"type": "message_stop"},
    ]
    for caller in DIALECTS:
        put_through(meter_for(caller, "anthropic_messages", streamed=True), stream_of(events), streamed=True)


LATE_CALLS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "openai_chat": (
        {"choices": [{"index": 0, "delta": {"tool_calls": [{**CALL, "function": {"name": "look", "arguments": ""}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": CHAT_USAGE},
    ),
    "anthropic_messages": (
        {"type": "message_start", "message": {"usage": {"input_tokens": 5}}},
        {"type": "content_block_start", "index": 0, "content_block": BLOCKS[3]},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ),
}
"""Streams whose calls end with the stream, after the report of usage."""


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b""])
@pytest.mark.parametrize("upstream", LATE_CALLS)
@pytest.mark.parametrize("caller", DIALECTS)
def test_call_that_ends_with_the_stream_is_part_of_the_reported_usage(
    caller: DialectName, upstream: DialectName, done: bytes
) -> None:
    counted: list[str] = []

    async def count(reported: TokenUsage | None, written: Callable[[], str]) -> Charges:
        assert reported
        counted.append(written())
        return Charges([])

    meter = meter_for(caller, upstream, streamed=True, charges=count)
    put_through(meter, stream_of(LATE_CALLS[upstream]) + done, streamed=True)

    assert (meter.finished, counted) == (True, [""])
