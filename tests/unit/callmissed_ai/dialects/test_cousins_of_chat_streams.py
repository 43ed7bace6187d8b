"""What public reports say of chat streams that were translated, each test by the report it names."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from callmissed_ai.dialects.conversation import Reply, Stop, ToolCall
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_chat.stream import DONE
from callmissed_ai.dialects.stream_reader import UnreadableStream
from tests.support.inference.behaviours import chunk, completion, event, usage_event
from tests.support.inference.translated import CHAT, FRAME, MESSAGES, blocks_of, messages_of

Call = Mapping[str, Any]


def called(*pieces: Sequence[Call], finish: str = "tool_calls") -> list[dict[str, Any]]:
    """What a caller of messages gets for a stream that has these pieces of calls, one list a chunk."""
    chunks = [event(chunk({"tool_calls": list(each)})) for each in pieces]
    return messages_of(*chunks, event(chunk({}, finish=finish)), usage_event(), DONE)


def uses(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Id and name of the tools used."""
    blocks = [each["content_block"] for each in events if each["type"] == "content_block_start"]
    return [(block["id"], block["name"]) for block in blocks if block["type"] == "tool_use"]


def piece(name: str | None, arguments: object, **more: Any) -> dict[str, Any]:
    return {**more, "function": {"name": name, "arguments": arguments}}


PIECES: Mapping[str, list[list[Call]]] = {
    "name after an empty one (vercel ai#16507, vmlx#244)": [
        [piece("", "", index=0, id="a")],
        [piece("weather", "", index=0)],
        [piece(None, '{"city":', index=0)],
        [piece(None, '"Pune"}', index=0)],
    ],
    "arguments before the name (zcode-api#23)": [
        [piece(None, '{"city":', index=0, id="a")],
        [piece("weather", '"Pune"}', index=0)],
    ],
    "name in pieces (Switchyard#785)": [
        [piece("wea", "", index=0, id="a")],
        [piece("ther", "", index=0)],
        [piece(None, '{"city":"Pune"}', index=0)],
    ],
    "id and name in every chunk (litellm#20480, lingua#318)": [
        [piece("weather", '{"city":', index=0, id="a")],
        [piece("weather", '"Pune"}', index=0, id="a")],
    ],
    "whole call once more at the end (litellm#20480)": [
        [piece("weather", '{"city":"Pune"}', index=0, id="a")],
        [piece("weather", '{"city":"Pune"}', index=0, id="a")],
    ],
    "no index (Gemini's surface)": [
        [piece("weather", '{"city":', id="a")],
        [piece(None, '"Pune"}', id="a")],
    ],
    "neither index nor id in what follows": [
        [piece("weather", "", id="a")],
        [piece(None, '{"city":"Pune"}')],
    ],
    "id after the name": [
        [piece("weather", "", index=0)],
        [piece("weather", '{"city":"Pune"}', index=0, id="a")],
    ],
    "nulls (together-python#454, Floway#264)": [
        [piece("weather", None, index=0, id="a", type=None)],
        [piece(None, '{"city":"Pune"}', index=0, id=None)],
    ],
    "arguments as an object": [[piece("weather", {"city": "Pune"}, index=0, id="a")]],
    "an empty piece before": [[{"index": 0}], [piece("weather", '{"city":"Pune"}', index=0, id="a")]],
}


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_call_is_one_block_with_its_name_and_input(pieces: list[list[Call]]) -> None:
    events = called(*pieces)

    assert uses(events) == [("a", "weather")]
    assert [text.replace(" ", "") for _, text in blocks_of(events)] == ['{"city":"Pune"}']
    assert [each["type"] for each in events].count("content_block_stop") == 1


def test_two_calls_without_index_stay_two() -> None:
    events = called([piece("one", '{"a":1}', id="a")], [piece("two", '{"b":2}', id="b")])

    assert uses(events) == [("a", "one"), ("b", "two")]


def test_second_call_with_the_same_index_and_id_is_another() -> None:
    """Gemini's surface has sent one index, and models without ids of their own one id, for every call."""
    events = called([piece("one", '{"a":1}', index=0, id="a"), piece("two", '{"b":2}', index=0, id="a")])

    assert [name for _, name in uses(events)] == ["one", "two"]
    assert len({given for given, _ in uses(events)}) == 2


@pytest.mark.parametrize("arguments", ["", None, " ", {}])
def test_call_without_arguments_has_an_empty_object(arguments: object) -> None:
    """litellm#5063, aichat#1217: "" is no JSON."""
    events = called([piece("now", arguments, index=0, id="a")])
    whole = CHAT.read_reply(completion(None, tool_calls=[piece("now", arguments, id="a")]))

    assert [(kind, text.strip()) for kind, text in blocks_of(events)] == [("tool_use", "{}")]
    assert [part.arguments.strip() for part in whole.parts if isinstance(part, ToolCall)] == ["{}"]


def test_call_that_goes_on_after_its_end_is_no_success() -> None:
    """vllm#34887, vllm#42683: pieces of arguments in the wrong place made calls with other arguments."""
    with pytest.raises(UnreadableStream):
        called(
            [piece("one", '{"a":1}', index=0, id="a")],
            [piece("two", '{"b":2', index=1, id="b")],
            [piece(None, ',"c":3}', index=0)],
        )


def test_call_without_name_is_no_success() -> None:
    with pytest.raises(UnreadableStream):
        called([piece(None, '{"a":1}', index=0, id="a")])
    with pytest.raises(UnusableReply):
        CHAT.read_reply(completion(None, tool_calls=[piece(None, '{"a":1}', id="a")]))


def test_function_call_of_old_is_a_call() -> None:
    """qwen-code#6240: providers still answer in the form from before tools."""
    pieces = [{"name": "weather", "arguments": ""}, {"arguments": '{"city":"Pune"}'}]
    chunks = [event(chunk({"function_call": each})) for each in pieces]
    events = messages_of(*chunks, event(chunk({}, finish="function_call")), DONE)

    assert blocks_of(events) == [("tool_use", '{"city":"Pune"}')]
    assert events[-1]["delta"]["stop_reason"] == "tool_use"


REASONS = {
    "content_filter": "refusal",
    "content_filter: PROHIBITED_CONTENT": "refusal",
    "SAFETY": "refusal",
    "sensitive": "refusal",
    "MAX_TOKENS": "max_tokens",
    "model_length": "model_context_window_exceeded",
    "STOP": "end_turn",
    "eos_token": "end_turn",
    "tool_calls": "end_turn",
}


@pytest.mark.parametrize(("reason", "expected"), REASONS.items())
def test_reason_that_only_some_providers_have(reason: str, expected: str) -> None:
    """llmgateway#2974, litellm#40903; tool use without a tool has made clients wait for one."""
    events = messages_of(event(chunk({"content": "a"})), event(chunk({}, finish=reason)), DONE)

    assert events[-1]["delta"]["stop_reason"] == expected


@pytest.mark.parametrize("reason", ["insufficient_system_resource", "network_error"])
def test_reason_that_means_a_failure_is_no_success(reason: str) -> None:
    with pytest.raises(UnreadableStream):
        messages_of(event(chunk({"content": "a"})), event(chunk({}, finish=reason)), DONE)


def test_finish_reason_in_several_chunks_is_one_end_with_the_last_usage() -> None:
    """cc-switch#2366: two `message_delta` made a client drop the connection."""
    ends = [event(chunk({}, finish="length")), usage_event(), event(chunk(None, usage=None))]
    events = messages_of(event(chunk({"content": "a"})), *ends, DONE)

    assert [each["type"] for each in events].count("message_delta") == 1
    assert events[-1]["delta"]["stop_reason"] == "max_tokens"
    assert events[-1]["usage"]["output_tokens"] == 7


def test_limit_stays_the_reason_where_a_call_was_cut() -> None:
    """vllm#58228, dynamo#13791: a call cut by the limit must not look complete."""
    events = called([piece("weather", '{"city":"Pu', index=0, id="a")], finish="length")

    assert events[-1]["delta"]["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("empty", [{"choices": None}, {"choices": []}, {"choices": [{"index": 0, "delta": None}]}])
def test_chunk_that_says_nothing(empty: Mapping[str, Any]) -> None:
    """agent-framework#5734, langroid#987, Portkey#1727."""
    events = messages_of(event(empty), event(chunk({"content": "a"})), event(empty), event(chunk({}, finish="stop")))

    assert blocks_of(events) == [("text", "a")]


def test_emoji_cut_between_two_deltas() -> None:
    """opencode#14630: half of a surrogate pair is in no UTF-8."""
    chunks = [event(chunk({"content": half})) for half in ("so \ud83d", "\ude00 good")]
    events = messages_of(*chunks, event(chunk({}, finish="stop")), DONE)

    assert blocks_of(events) == [("text", "so \N{GRINNING FACE} good")]


@pytest.mark.parametrize("text", ["\ud83d", "a\ude00", "\ud83d\ud83d", "\ude00\ud83d"])
def test_half_of_a_pair_alone_is_replaced(text: str) -> None:
    events = messages_of(event(chunk({"content": text})), event(chunk({}, finish="stop")), DONE)

    assert set(blocks_of(events)[0][1]) <= {"a", "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize("text", ["a\N{LINE SEPARATOR}b", "a\x00b", "\N{ZERO WIDTH NO-BREAK SPACE}a", "a\x85b\x0bc"])
def test_odd_characters_pass(text: str) -> None:
    """httpx-sse and others split lines at more characters than the standard has."""
    assert blocks_of(messages_of(event(chunk({"content": text})), DONE, event(chunk({})))) == [("text", text)]


def test_thoughts_among_the_parts_of_a_content() -> None:
    """Mistral's models put their reasoning into the content."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    parts = [event(chunk({"content": [thought]})), event(chunk({"content": [{"type": "text", "text": "Yes"}]}))]
    events = messages_of(*parts, event(chunk({}, finish="stop")), DONE)

    assert blocks_of(events) == [("thinking", "Hm"), ("text", "Yes")]


def test_truncated_call_of_a_whole_reply_shows_what_was_written() -> None:
    reply = Reply((ToolCall("a", "weather", '{"city":"Pu'),), Stop.LIMIT)

    assert MESSAGES.write_reply(reply, FRAME)["content"][0]["input"] == {"INVALID_JSON": '{"city":"Pu'}
