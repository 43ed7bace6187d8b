"""What broke other gateways, by the numbers of the published list: streams and requests between chat and messages."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.dialects.openai_chat.stream import DONE
from callmissed_ai.dialects.stream_reader import UnreadableStream
from tests.support.inference.behaviours import chunk, event, usage_event
from tests.support.inference.messages import message, message_stream
from tests.support.inference.translated import (
    CHAT,
    FRAME,
    HELLO,
    MESSAGES,
    TOOL,
    blocks_of,
    call,
    calling,
    chunks_of,
    messages_of,
    result,
    to_chat,
    to_messages,
)


def test_2_blocks_are_closed_and_the_reason_is_there_without_done() -> None:
    events = messages_of(event(chunk({"content": "Hi"})), event(chunk({}, finish="stop")), usage_event())

    assert [each["type"] for each in events] == [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta")
    ]
    assert events[-1]["usage"] == {
        "input_tokens": 11,
        "output_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


def test_3_called_tools_are_the_reason_where_there_is_none() -> None:
    events = messages_of(event(chunk({"tool_calls": [call(0, "a", "weather", "{}")]})), DONE)

    assert events[-1]["delta"]["stop_reason"] == "tool_use"


def test_5_index_of_a_call_counts_calls() -> None:
    text = {"type": "text", "text": "Look"}
    calls = [{"type": "tool_use", "id": name, "name": name, "input": {"a": 1}} for name in ("x", "y")]
    chunks = chunks_of(*message_stream(message(text, *calls, stop_reason="tool_use")))

    deltas = [choice["delta"] for each in chunks for choice in each["choices"]]
    assert {piece["index"] for delta in deltas for piece in delta.get("tool_calls", ())} == {0, 1}


def test_6_second_whole_call_never_continues_the_first() -> None:
    first, second = call(0, "a", "weather", '{"a":1}'), call(0, "b", "weather", '{"b":2}')
    events = messages_of(event(chunk({"tool_calls": [first]})), event(chunk({"tool_calls": [second]})), DONE)

    assert blocks_of(events) == [("tool_use", '{"a":1}'), ("tool_use", '{"b":2}')]


def test_6_calls_that_grow_in_turn_come_one_after_the_other() -> None:
    begun = event(chunk({"tool_calls": [call(0, "a", "one", '{"a"'), call(1, "b", "two", '{"b"')]}))
    grown = event(chunk({"tool_calls": [call(1, None, None, ":2}"), call(0, None, None, ":1}")]}))

    assert blocks_of(messages_of(begun, grown, DONE)) == [("tool_use", '{"a":1}'), ("tool_use", '{"b":2}')]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_7_reasoning_and_text_have_blocks_of_their_own(name: str) -> None:
    thoughts = [event(chunk({"role": "assistant", "content": "", name: text})) for text in ("Let ", "me see")]
    events = messages_of(*thoughts, event(chunk({"content": "Yes"})), event(chunk({}, finish="stop")), DONE)

    assert [each["type"] for each in events].count("message_start") == 1
    assert blocks_of(events) == [("thinking", "Let me see"), ("text", "Yes")]


def test_8_text_is_no_input() -> None:
    events = messages_of(*[event(chunk({"content": text})) for text in "abc"], event(chunk({}, finish="stop")))

    kinds = {each["delta"]["type"] for each in events if each["type"] == "content_block_delta"}
    assert kinds == {"text_delta"}


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter"])
def test_9_end_has_reason_and_sequence(reason: str) -> None:
    events = messages_of(event(chunk({"content": "a"})), event(chunk({}, finish=reason)), DONE)

    assert events[-1]["delta"].keys() == {"stop_reason", "stop_sequence"}
    assert events[-1]["delta"]["stop_sequence"] is None


def test_12_usage_is_what_the_delta_said() -> None:
    chunks = chunks_of(*message_stream(message(usage={"input_tokens": 11, "output_tokens": 7})))

    assert chunks[-1]["usage"]["completion_tokens"] == 7
    assert chunks[-1]["usage"]["prompt_tokens"] == 11


@pytest.mark.parametrize("body", [{"choices": [], "error": {"code": 502}}, chunk({}, finish="error")])
def test_13_error_in_a_chunk_is_no_success(body: Mapping[str, Any]) -> None:
    with pytest.raises(UnreadableStream):
        messages_of(event(chunk({"content": "a"})), event(body), DONE)


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
def test_14_drop_is_an_error(dialect: Any) -> None:
    reader = dialect.stream_reader()
    body = event(chunk({"content": "a"})) if dialect is CHAT else b"".join(message_stream(message())[:4])
    list(reader.feed(body))

    with pytest.raises(UnreadableStream):
        list(reader.end())


def test_15_calls_that_end_with_stop_are_tool_use() -> None:
    events = messages_of(event(chunk({"tool_calls": [call(0, "a", "weather", "{}")]}, finish="stop")), DONE)

    assert events[-1]["delta"]["stop_reason"] == "tool_use"


def test_16_results_are_one_turn_in_their_order() -> None:
    sent = to_messages(messages=[HELLO, calling("a", "b"), result("b"), result("a"), HELLO], tools=[TOOL])

    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    kinds = [(block["type"], block.get("tool_use_id")) for block in sent["messages"][2]["content"]]
    assert kinds == [("tool_result", "b"), ("tool_result", "a"), ("text", None)]


def test_18_required_and_not_parallel() -> None:
    sent = to_messages(tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}

    tool = {"name": "weather", "input_schema": {"type": "object"}}
    back = to_chat(tools=[tool], tool_choice=sent["tool_choice"])
    assert (back["tool_choice"], back["parallel_tool_calls"]) == ("required", False)


def test_19_failed_result_is_visible() -> None:
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    failed = {"type": "tool_result", "tool_use_id": "a", "is_error": True, "content": [{"type": "text", "text": "no"}]}
    turns = [HELLO, {"role": "assistant", "content": [used]}, {"role": "user", "content": [failed]}]

    assert to_chat(messages=turns)["messages"][-1]["content"] == "Error: no"


def test_20_blank_texts_go_and_an_empty_turn_is_named() -> None:
    parts = [{"type": "text", "text": text} for text in ("", "Hi", " \n")]
    sent = to_messages(messages=[{"role": "user", "content": parts}])
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "Hi"}]

    with pytest.raises(ApiError) as refused:
        to_messages(messages=[HELLO, {"role": "user", "content": " "}])
    assert refused.value.param == "messages.1"


def test_21_cache_marks_stay_where_they_are() -> None:
    mark = {"type": "ephemeral"}
    marked = {"type": "text", "text": "Hi", "cache_control": mark}
    sent = to_messages(
        messages=[{"role": "system", "content": [marked]}, {"role": "user", "content": [marked]}],
        tools=[{**TOOL, "cache_control": mark}],
    )

    assert [sent["system"][0], sent["messages"][0]["content"][0]] == [marked, marked]
    assert sent["tools"][0]["cache_control"] == mark


def test_22_signed_thought_comes_back_as_it_was() -> None:
    thought = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
    reply = CHAT.write_reply(MESSAGES.read_reply(message(thought)), FRAME)
    answer = {**reply["choices"][0]["message"], "content": "Yes"}

    sent = to_messages(messages=[HELLO, answer, HELLO])

    assert sent["messages"][1]["content"][0] == thought


def test_23_signature_of_a_call_survives_a_caller_who_has_no_field_for_it() -> None:
    extra = {"google": {"thought_signature": "abc"}}
    made = calling("a")
    made["tool_calls"][0]["extra_content"] = extra
    body = {"choices": [{"index": 0, "message": made, "finish_reason": "tool_calls"}]}
    shown = MESSAGES.write_reply(CHAT.read_reply(body), FRAME)

    returned = {"type": "tool_result", "tool_use_id": "a", "content": "sunny"}
    turns = [HELLO, {"role": "assistant", "content": shown["content"]}, {"role": "user", "content": [returned]}]

    assert to_chat(messages=turns)["messages"][1]["tool_calls"][0]["extra_content"] == extra


@pytest.mark.parametrize(
    ("field", "value"), [("n", 2), ("logprobs", True), ("logit_bias", {"1": 1}), ("seed", 1), ("modalities", ["audio"])]
)
def test_25_what_messages_lack_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ApiError) as refused:
        to_messages(**{field: value})

    assert (refused.value.status, refused.value.param) == (400, field)


def test_26_image_in_a_result_becomes_the_users() -> None:
    used = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
    returned = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "seen"}, image]}
    sent = to_chat(messages=[HELLO, {"role": "assistant", "content": [used]}, {"role": "user", "content": [returned]}])

    assert sent["messages"][2] == {"role": "tool", "tool_call_id": "a", "content": "seen"}
    assert sent["messages"][3]["content"][0]["image_url"]["url"] == "data:image/png;base64,iVBO"


def test_29_cached_input_is_part_of_the_input() -> None:
    usage = {"input_tokens": 500, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1500, "output_tokens": 1}
    written = CHAT.write_reply(MESSAGES.read_reply(message(usage=usage)), FRAME)["usage"]

    assert (written["prompt_tokens"], written["prompt_tokens_details"]["cached_tokens"]) == (2000, 1500)


def test_30_written_cache_is_counted_apart() -> None:
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 0, "output_tokens": 1}
    found = MESSAGES.read_reply(message(usage=usage)).usage

    assert found
    assert (found.input, found.cache_write) == (12, 7)


def test_thinking_in_a_content_goes_through_a_client_of_messages() -> None:
    """Mistral's models think in the content, and want no thought back; the open turn goes on without it."""
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "I look"}]
    events = messages_of(
        event(chunk({"role": "assistant", "content": content})),
        event(chunk({"tool_calls": [call(0, "a", "weather", "{}")]}, finish="tool_calls")),
    )
    assert blocks_of(events) == [("thinking", "Hm"), ("text", "I look"), ("tool_use", "{}")]
    (signature,) = [each["delta"]["signature"] for each in events if each.get("delta", {}).get("signature")]
    asked = [
        HELLO,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": signature},
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "sunny"}]},
    ]

    sent = CHAT.write_request(MESSAGES.read_request({"model": "m", "max_tokens": 5, "messages": asked}))

    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool"]
    assert sent["messages"][1]["content"] == "I look"
    assert "thinking" not in json.dumps(sent)
