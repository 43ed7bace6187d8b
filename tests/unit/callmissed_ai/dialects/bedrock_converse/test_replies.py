"""Replies of Converse, whole and streamed, as callers of chat and messages get them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.model import StructureShape
from botocore.parsers import EventStreamJSONParser, create_parser
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.dialects.accumulation import whole_reply
from callmissed_ai.dialects.conversation import (
    Event,
    RedactedThinking,
    Reply,
    ReplyFrame,
    Stop,
    Text,
    Thinking,
    ToolCall,
)
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.opening import open_dialect, open_upstream_dialect
from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream
from callmissed_ai.dialects.translation import Translation
from callmissed_ai.tokens.usage import TokenUsage
from tests.support.inference.converse import (
    converse_reply,
    converse_stream,
    delta,
    exception,
    frame,
    redacted,
)
from tests.support.inference.targets import target

CONVERSE = open_upstream_dialect("bedrock_converse")
CHAT = open_dialect("openai_chat")
MESSAGES = open_dialect("anthropic_messages")
CLAUDE = target("anthropic.claude-x")
FRAME = ReplyFrame("x1", 1, "lab-chat")
SHAPE = get_session().get_service_model("bedrock-runtime").operation_model("Converse").output_shape

texts = st.text(min_size=1, max_size=20)
words = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
inputs = st.dictionaries(words, st.none() | st.booleans() | st.integers() | texts, max_size=3)
blocks = st.one_of(
    st.builds(lambda text: {"text": text}, texts),
    st.builds(
        lambda text, signature: {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}},
        texts,
        texts,
    ),
    st.builds(lambda text: {"reasoningContent": {"redactedContent": redacted(text)}}, texts),
    st.builds(
        lambda call, name, value: {"toolUse": {"toolUseId": call, "name": name, "input": value}}, words, words, inputs
    ),
)
replies = st.builds(
    lambda content, stop: converse_reply(*content, stop=stop),
    st.lists(blocks, min_size=1, max_size=4),
    st.sampled_from(["end_turn", "tool_use", "max_tokens"]),
)
TOOL_USE = {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"town": "Pune"}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}}


def read(pieces: Sequence[bytes]) -> list[Event]:
    reader = CONVERSE.stream_reader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    if not reader.finished:
        events += reader.end()
    assert reader.finished
    return events


@given(reply=replies)
def test_stream_adds_up_to_the_whole_reply(reply: Any) -> None:
    assert whole_reply(read(converse_stream(reply))) == CONVERSE.read_reply(reply)


@given(reply=replies, data=st.data())
def test_events_are_the_same_however_the_bytes_are_cut(reply: Any, data: st.DataObject) -> None:
    body = b"".join(converse_stream(reply))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert read(pieces) == read([body])


def test_fixtures_are_what_the_apis_model_says() -> None:
    reply = converse_reply(THOUGHT, {"text": "It is"}, TOOL_USE, stop="tool_use")
    parser: Any = create_parser("rest-json")

    parsed = parser.parse({"headers": {}, "status_code": 200, "body": json.dumps(reply).encode()}, SHAPE)

    parsed.pop("ResponseMetadata")
    assert parsed == reply


def test_frames_are_what_botocore_reads() -> None:
    shape = get_session().get_service_model("bedrock-runtime").operation_model("ConverseStream").output_shape
    assert isinstance(shape, StructureShape)
    reply = converse_reply(THOUGHT, {"text": "It is"}, TOOL_USE, stop="tool_use")
    buffer: Any = EventStreamBuffer()
    buffer.add_data(b"".join(converse_stream(reply)))
    parser: Any = EventStreamJSONParser()

    parsed = [parser.parse(message.to_response_dict(), shape.members["stream"]) for message in buffer]

    deltas = [event["contentBlockDelta"]["delta"] for event in parsed if "contentBlockDelta" in event]
    assert "".join(each["toolUse"]["input"] for each in deltas if "toolUse" in each) == '{"town":"Pune"}'
    assert parsed[-2]["messageStop"]["stopReason"] == "tool_use"
    assert parsed[-1]["metadata"]["usage"] == reply["usage"]


def test_every_part_is_read() -> None:
    cited = {"citationsContent": {"content": [{"text": "As "}, {"text": "said"}], "citations": []}}
    reply = CONVERSE.read_reply(
        converse_reply(THOUGHT, {"reasoningContent": {"redactedContent": redacted("enc")}}, cited, TOOL_USE)
    )

    assert reply == Reply(
        (
            Thinking("Hm.", "c2lnbmVk"),
            RedactedThinking("enc"),
            Text("As said"),
            ToolCall("tooluse_1", "weather", '{"town":"Pune"}'),
        ),
        Stop.TOOL_CALLS,
        usage=TokenUsage(11, 7),
    )


@pytest.mark.parametrize("data", [redacted("enc"), redacted("ü\x00"), "/+8=", "no base64"])
def test_redacted_thoughts_come_back_as_they_were(data: str) -> None:
    (part,) = CONVERSE.read_reply(converse_reply({"reasoningContent": {"redactedContent": data}})).parts
    block = MESSAGES.write_reply(Reply((part,), Stop.END), FRAME)["content"][0]
    text = {"type": "text", "text": "Yes"}
    asked = MESSAGES.read_request(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": [block, text]}]}
    )

    sent = CONVERSE.write_request(asked, CLAUDE)

    assert sent["messages"][1]["content"] == [{"reasoningContent": {"redactedContent": data}}, {"text": "Yes"}]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", Stop.END),
        ("max_tokens", Stop.LIMIT),
        ("stop_sequence", Stop.STOP_SEQUENCE),
        ("tool_use", Stop.END),  # without a call
        ("guardrail_intervened", Stop.REFUSED),
        ("content_filtered", Stop.REFUSED),
        ("model_context_window_exceeded", Stop.CONTEXT_FULL),
        ("something_new", Stop.END),
    ],
)
def test_reasons_to_stop(reason: str, stop: Stop) -> None:
    reply = converse_reply(stop=reason)

    assert CONVERSE.read_reply(reply).stop == whole_reply(read(converse_stream(reply))).stop == stop


def test_stop_sequence_is_the_one_that_the_model_names() -> None:
    reply = converse_reply(stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})

    assert CONVERSE.read_reply(reply).stop_sequence == "END"
    assert whole_reply(read(converse_stream(reply))).stop_sequence == "END"


@pytest.mark.parametrize("reason", ["malformed_tool_use", "malformed_model_output"])
def test_reply_that_bedrock_can_not_read_is_none_but_its_usage_is_read(reason: str) -> None:
    reply = converse_reply(stop=reason)
    with pytest.raises(UnusableReply, match=reason):
        CONVERSE.read_reply(reply)
    reader, events = CONVERSE.stream_reader(), list[Event]()

    with pytest.raises(UnreadableStream, match=reason):
        for each in converse_stream(reply):
            for event in reader.feed(each):
                events.append(event)

    assert whole_reply(events).usage == TokenUsage(11, 7)


USAGES = [
    ({"inputTokens": 500, "outputTokens": 3, "cacheReadInputTokens": 1_500}, TokenUsage(2_000, 3, 1_500)),
    (
        {"inputTokens": 5, "outputTokens": 3, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 11},
        TokenUsage(23, 3, 7, cache_write=11),
    ),
    ({"inputTokens": 0, "outputTokens": 0}, TokenUsage(0, 0)),
    ({"inputTokens": -1, "outputTokens": "many"}, None),
    (None, None),
]


@pytest.mark.parametrize(("usage", "tokens"), USAGES)
def test_29_30_input_does_not_include_the_cache(usage: Any, tokens: TokenUsage | None) -> None:
    reply = converse_reply(usage=usage)

    assert CONVERSE.read_reply(reply).usage == tokens
    assert whole_reply(read(converse_stream(reply))).usage == tokens


def test_29_caller_of_chat_sees_the_cache_in_its_input() -> None:
    reply = converse_reply(usage=USAGES[0][0])

    usage = CHAT.write_reply(CONVERSE.read_reply(reply), FRAME)["usage"]

    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (2_000, 1_500)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"output": {}},
        {"output": {"message": {"content": "x"}}, "stopReason": "end_turn"},
        {"message": "Too busy"},
        {"output": {"message": {"content": []}}},
    ],
)
def test_what_is_no_reply_is_unusable(reply: Mapping[str, Any]) -> None:
    with pytest.raises(UnusableReply):
        CONVERSE.read_reply(reply)


FRAMES = converse_stream(converse_reply())
FLIPPED = bytes([*FRAMES[2][:-9], FRAMES[2][-9] ^ 1, *FRAMES[2][-8:]])
CUTS = {
    "clean end without messageStop": FRAMES[:-2],
    "a frame that is cut off": [*FRAMES[:2], FRAMES[2][:-1]],
    "a changed byte": [*FRAMES[:2], FLIPPED],
    "a changed length": [*FRAMES[:2], b"\x00\x00\x00\x11" + FRAMES[2][4:]],
    "an endless frame": [(MAX_EVENT_BYTES + 1).to_bytes(4, "big") + bytes(8)],
    "a frame shorter than its headers": [b"\x00\x00\x00\x10\x00\x00\x00\xff" + bytes(8)],
    "an exception": [*FRAMES[:2], exception("throttlingException")],
    "an exception at once": [exception("modelStreamErrorException")],
    "an unknown exception": [frame("newException", {}, kind="exception")],
    "an error": [frame("x", {}, kind="error")],
    "no JSON": [frame("contentBlockDelta", payload=b"{")],
    "no object": [frame("contentBlockDelta", payload=b"[]")],
    "no index": [frame("contentBlockDelta", {"delta": {"text": "x"}})],
    "arguments of no call": [delta(0, toolUse={"input": "{}"})],
    "JSON instead of frames": [b'{"message":"Too busy"}'],
    "events instead of frames": [b'data: {"choices":[]}\n\n'],
    "nothing": [],
}


@pytest.mark.parametrize("frames", CUTS.values(), ids=CUTS)
def test_14_broken_stream_is_no_reply(frames: list[bytes]) -> None:
    with pytest.raises(UnreadableStream) as error:
        read(frames)
    assert "internal-upstream-detail" not in str(error.value)


def test_stream_is_over_without_usage_when_its_body_ends() -> None:
    events = read(converse_stream(converse_reply(usage=None)))

    assert whole_reply(events) == Reply((Text("Hello there"),), Stop.END)


def test_usage_before_the_stop_ends_nothing() -> None:
    frames = converse_stream(converse_reply())

    events = read([*frames[:-2], frames[-1], frames[-2]])

    assert whole_reply(events) == Reply((Text("Hello there"),), Stop.END, usage=TokenUsage(11, 7))


def test_block_that_changes_its_kind_is_two_parts() -> None:
    frames = [
        delta(0, reasoningContent={"text": "Hm."}),
        delta(0, text="Yes"),
        frame("messageStop", {"stopReason": "end_turn"}),
    ]

    assert whole_reply(read(frames)).parts == (Thinking("Hm."), Text("Yes"))


def test_blocks_of_unknown_kinds_are_left_out() -> None:
    reply = converse_reply({"video": {}}, {"text": "Yes"})
    frames = converse_stream(converse_reply({"text": "Yes"}))

    assert CONVERSE.read_reply(reply).parts == (Text("Yes"),)
    assert whole_reply(read([delta(7, video={}), *frames])).parts == (Text("Yes"),)


def test_call_without_input_is_called_with_nothing() -> None:
    start = {"toolUse": {"toolUseId": "a", "name": "now"}}
    frames = [
        frame("contentBlockStart", {"contentBlockIndex": 0, "start": start}),
        frame("messageStop", {"stopReason": "end_turn"}),
    ]

    reply = whole_reply(read(frames))

    assert reply == Reply((ToolCall("a", "now", "{}"),), Stop.TOOL_CALLS)


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_callers_get_interleaved_calls_in_their_own_form(caller: Any) -> None:
    passage = Translation(CONVERSE.stream_reader(), caller.stream_writer(FRAME, wants_usage=True))
    frames = converse_stream(converse_reply(THOUGHT, {"text": "It is"}, TOOL_USE, TOOL_USE | {}, stop="tool_use"))

    written = b"".join(piece for each in frames for _, piece in passage.feed(each))

    reader = caller.stream_reader()
    events = [*reader.feed(written + passage.closing(None, "req_1")), *([] if reader.finished else reader.end())]
    parts = whole_reply(events).parts
    assert [type(part).__name__ for part in parts] == ["Thinking", "Text", "ToolCall", "ToolCall"]
    assert isinstance(parts[0], Thinking)
    assert parts[0].text == "Hm."
    assert [part.arguments for part in parts if isinstance(part, ToolCall)] == ['{"town":"Pune"}'] * 2
