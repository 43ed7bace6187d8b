"""What broke other gateways, by the numbers of the published list: callers of responses, and upstreams of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.dialect import Dialect
from callmissed_ai.dialects.openai_chat.stream import DONE
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.dialects.stream_reader import UnreadableStream
from callmissed_ai.dialects.translation import Translation
from tests.support.inference.behaviours import chunk, completion, event, usage_event
from tests.support.inference.messages import message, message_stream
from tests.support.inference.responses import function_call, response, response_stream, thought, written

CHAT = open_dialect("openai_chat")
MESSAGES = open_dialect("anthropic_messages")
RESPONSES = open_dialect("openai_responses")
ASKED: Mapping[str, Any] = {"model": "m", "input": "Hello", "temperature": 0.5, "metadata": {"a": "b"}}
FRAME = ReplyFrame("x1", 1, "lab-chat", ASKED)
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
HELLO = {"type": "message", "role": "user", "content": "Hello"}
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class Caller:
    """A caller of responses who gets a stream of another dialect."""

    def __init__(self, upstream: Dialect, *events: bytes) -> None:
        self.passage = Translation(upstream.stream_reader(), RESPONSES.stream_writer(FRAME, wants_usage=True))
        self.body = b"".join(written for body in events for _, written in self.passage.feed(body))

    def ended(self) -> list[dict[str, Any]]:
        """The events of a reply that is complete."""
        self.body += b"".join(written for _, written in self.passage.end())
        return data_of(self.body + self.passage.closing(None, "req_1"))

    def broken(self, error: ApiError) -> list[dict[str, Any]]:
        """The events of a reply that broke."""
        return data_of(self.body + self.passage.closing(error, "req_1"))


def data_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each checked against the SDK's type, and their numbers against gaps."""
    lines = body.decode().splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == [each["type"] for each in events]
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    for each in events:
        EVENTS.validate_python(each)
    return events


def check_closed(events: Sequence[Mapping[str, Any]]) -> None:
    """Whatever was opened is closed once, under one id, and the response has it as it was when it was closed."""
    opened: dict[tuple[Any, ...], Any] = {}
    for each in events:
        name, _, verb = each["type"].rpartition(".")
        item_id = each["item"]["id"] if "item" in each else each.get("item_id")
        place = (name, each.get("output_index"), each.get("content_index"), each.get("summary_index"))
        if verb == "added":
            assert place not in opened
            opened[place] = item_id
        elif verb == "done" and place in opened:
            assert opened.pop(place) == item_id
    assert opened == {}
    done = [each["item"] for each in events if each["type"] == "response.output_item.done"]
    assert sorted(done, key=lambda item: item["id"][-4:]) == events[-1]["response"]["output"]


def call(index: int, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """A piece of a tool call in a chunk."""
    named = {"name": name} if name else {}
    identified = {"id": call_id, "type": "function"} if call_id else {}
    return {"index": index, **identified, "function": {**named, "arguments": arguments}}


def test_4_items_are_done_without_a_finish_reason() -> None:
    events = Caller(CHAT, event(chunk({"content": "Hi"})), DONE).ended()

    check_closed(events)
    assert events[-1]["type"] == "response.completed"


def test_10_events_of_a_text_are_complete() -> None:
    events = Caller(
        CHAT, *[event(chunk({"content": text})) for text in ("He", "y")], event(chunk({}, finish="stop")), usage_event()
    ).ended()

    check_closed(events)
    assert [each["type"] for each in events] == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *["response.output_text.delta"] * 2,
        *("response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"),
    ]
    assert events[6]["text"] == "Hey"
    (item,) = events[-1]["response"]["output"]
    assert {each["item_id"] for each in events if "item_id" in each} == {item["id"]}
    assert item["content"][0]["text"] == "Hey"


@pytest.mark.parametrize("text", [None, "Look"])
def test_11_ids_have_the_prefixes_that_are_demanded_back(text: str | None) -> None:
    calls = [{"id": "chatcmpl-9", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]
    body = completion(text, tool_calls=calls, reasoning_content="Hm")
    output = RESPONSES.write_reply(CHAT.read_reply(body), FRAME)["output"]

    prefixes = {"reasoning": "rs_", "message": "msg_", "function_call": "fc_"}
    assert [item["type"] for item in output] == ["reasoning", *(["message"] if text else []), "function_call"]
    assert all(item["id"].startswith(prefixes[item["type"]]) for item in output)
    assert len({item["id"] for item in output}) == len(output)
    assert output[-1]["call_id"] == "chatcmpl-9"


def test_14_break_is_a_failed_response_that_closes_nothing() -> None:
    begun = event(chunk({"tool_calls": [call(0, "a", "weather", '{"city": "Pu')]}))
    events = Caller(CHAT, event(chunk({"content": "Hi"})), begun).broken(ApiError(503, "provider_error", "It broke."))

    assert events[-1]["type"] == "response.failed"
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]) == ("failed", {"code": "server_error", "message": "It broke."})
    assert [item["status"] for item in failed["output"]] == ["incomplete", "incomplete"]
    assert failed["output"][1]["arguments"] == '{"city": "Pu'
    assert "response.function_call_arguments.done" not in [each["type"] for each in events]


@pytest.mark.parametrize("cut", range(3, 9))
def test_14_drop_of_an_upstream_is_an_error(cut: int) -> None:
    reader = RESPONSES.stream_reader()
    list(reader.feed(b"".join(response_stream(response())[:cut])))

    with pytest.raises(UnreadableStream):
        list(reader.end())


@pytest.mark.parametrize("kind", ["response.failed", "error"])
def test_14_failure_of_an_upstream_is_an_error(kind: str) -> None:
    reader = RESPONSES.stream_reader()
    body = b"data: " + json.dumps({"type": kind, "response": response(status="failed")}).encode() + b"\n\n"

    with pytest.raises(UnreadableStream):
        list(reader.feed(body))


def test_calls_that_grow_in_turn_keep_their_items() -> None:
    begun = event(chunk({"tool_calls": [call(0, "a", "one", '{"a"'), call(1, "b", "two", '{"b"')]}))
    grown = event(chunk({"tool_calls": [call(1, None, None, ":2}"), call(0, None, None, ":1}")]}))

    events = Caller(CHAT, begun, grown, DONE).ended()

    check_closed(events)
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", '{"a":1}'), ("b", '{"b":2}')]


def test_thought_comes_before_the_text_in_an_item_of_its_own() -> None:
    thoughts = [event(chunk({"reasoning_content": text})) for text in ("Let ", "me see")]
    events = Caller(CHAT, *thoughts, event(chunk({"content": "Yes"})), event(chunk({}, finish="stop")), DONE).ended()

    check_closed(events)
    kinds = [each["type"] for each in events]
    assert kinds.index("response.reasoning_summary_text.done") < kinds.index("response.output_text.delta")
    first, second = events[-1]["response"]["output"]
    assert first["summary"] == [{"type": "summary_text", "text": "Let me see"}]
    assert second["content"][0]["text"] == "Yes"


def test_refusal_is_a_completed_response() -> None:
    events = Caller(CHAT, event(chunk({"refusal": "No"})), event(chunk({}, finish="stop")), DONE).ended()

    check_closed(events)
    assert [each["type"] for each in events][4:6] == ["response.refusal.delta", "response.refusal.done"]
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "No"}]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_limit_and_filter_make_the_response_incomplete(finish: str, reason: str) -> None:
    events = Caller(CHAT, event(chunk({"content": "Hi"})), event(chunk({}, finish=finish)), DONE).ended()

    check_closed(events)
    last = events[-1]["response"]
    assert (events[-1]["type"], last["status"]) == ("response.incomplete", "incomplete")
    assert last["incomplete_details"] == {"reason": reason}
    assert last["output"][0]["status"] == "incomplete"


def test_response_repeats_the_settings_of_its_request() -> None:
    asked = {**ASKED, "tools": [TOOL], "tool_choice": "required", "reasoning": {"effort": "low"}, "store": False}
    body = RESPONSES.write_reply(CHAT.read_reply(completion()), ReplyFrame("x1", 1, "lab-chat", asked))

    Response.model_validate(body)
    assert (body["id"], body["object"], body["status"], body["model"]) == (
        "resp_x1",
        "response",
        "completed",
        "lab-chat",
    )
    assert (body["temperature"], body["top_p"], body["metadata"], body["store"]) == (0.5, 1.0, {"a": "b"}, False)
    assert body["reasoning"] == {"effort": "low", "summary": None}
    assert (body["tools"][0]["name"], body["tool_choice"], body["text"]["format"]) == (
        *("weather", "required"),
        {"type": "text"},
    )


def test_29_cached_and_reasoning_tokens_are_parts() -> None:
    usage = {
        "prompt_tokens": 2000,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 1500},
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    written = RESPONSES.write_reply(CHAT.read_reply(completion(usage=usage)), FRAME)["usage"]

    assert written == {
        "input_tokens": 2000,
        "input_tokens_details": {"cached_tokens": 1500, "cache_write_tokens": 0},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 2050,
    }


def sent_back(upstream: Dialect, reply: Mapping[str, Any], *results: Mapping[str, Any]) -> Mapping[str, Any]:
    """The next request to `upstream` of a caller of responses who sends the items of its `reply` back unread."""
    output = RESPONSES.write_reply(upstream.read_reply(reply), FRAME)["output"]
    asked = {"model": "m", "input": [HELLO, *json.loads(json.dumps(output)), *results]}
    return upstream.write_request(RESPONSES.read_request(RESPONSES.without_neutral_values(asked)))


def test_22_signed_thought_comes_back_as_it_was() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
    ]
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    result = {"type": "function_call_output", "call_id": "a", "output": "sunny"}

    sent = sent_back(MESSAGES, message(*thoughts, used, stop_reason="tool_use"), result)

    assert sent["messages"][1]["content"] == [*thoughts, used]


def test_23_signature_of_a_call_comes_back_on_its_call() -> None:
    extra = {"google": {"thought_signature": "abc"}}
    calls = [
        {"id": each, "type": "function", "function": {"name": "weather", "arguments": "{}"}, "extra_content": extra}
        for each in ("a", "b")
    ]
    results = [{"type": "function_call_output", "call_id": each, "output": "sunny"} for each in ("a", "b")]

    sent = sent_back(CHAT, completion(None, tool_calls=calls), *results)

    assert [each["extra_content"] for each in sent["messages"][1]["tool_calls"]] == [extra, extra]
    assert [each["role"] for each in sent["messages"]] == ["user", "assistant", "tool", "tool"]


def test_stream_of_signed_thoughts_comes_back_too() -> None:
    block = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
    events = Caller(MESSAGES, *message_stream(message(block, {"type": "text", "text": "Yes"}))).ended()

    check_closed(events)
    asked = {"model": "m", "input": [HELLO, *events[-1]["response"]["output"], HELLO]}
    sent = MESSAGES.write_request(RESPONSES.read_request(asked))
    assert sent["messages"][1]["content"] == [block, {"type": "text", "text": "Yes"}]


ENCRYPTED = [thought("Let me", "see", encrypted="gAAA"), thought(encrypted="gBBB", id="rs_2")]


@pytest.mark.parametrize("caller", [CHAT, MESSAGES])
def test_encrypted_reasoning_survives_callers_of_other_dialects(caller: Dialect) -> None:
    items = [*ENCRYPTED, function_call("a", "weather", "{}")]
    reply = caller.write_reply(RESPONSES.read_reply(response(*items)), FRAME)
    turns: list[Any] = [{"role": "user", "content": "Hello"}]
    if caller is CHAT:
        turns += [reply["choices"][0]["message"], {"role": "tool", "tool_call_id": "a", "content": "sunny"}]
    else:
        result = {"type": "tool_result", "tool_use_id": "a", "content": "sunny"}
        turns += [{"role": "assistant", "content": reply["content"]}, {"role": "user", "content": [result]}]

    sent = RESPONSES.write_request(caller.read_request({"model": "m", "max_tokens": 50, "messages": turns}))

    assert [item["type"] for item in sent["input"]][1:] == [
        *("reasoning", "reasoning", "function_call", "function_call_output")
    ]
    assert sent["input"][1:3] == ENCRYPTED
    assert sent["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize("upstream", [CHAT, MESSAGES])
def test_encrypted_reasoning_goes_to_no_other_provider(upstream: Dialect) -> None:
    finished = [HELLO, *ENCRYPTED, written(), HELLO]
    sent = upstream.write_request(RESPONSES.read_request({"model": "m", "input": finished}))
    assert "gAAA" not in json.dumps(sent)

    waiting = [HELLO, *ENCRYPTED, function_call("a", "weather", "{}")]
    result = {"type": "function_call_output", "call_id": "a", "output": "sunny"}
    asked = RESPONSES.read_request({"model": "m", "input": [*waiting, result]})
    if upstream is CHAT:
        with pytest.raises(ApiError) as refused:
            upstream.write_request(asked)
        assert refused.value.param == "input.1.content.1"


def test_never_begun_stream_is_an_error_that_the_sdk_raises() -> None:
    body = RESPONSES.closing(invalid_request("Wrong.", "input"), "req_1")
    (data,) = data_of(body)

    assert (data["type"], data["code"], data["param"]) == ("error", "invalid_request_error", "input")
    assert data["error"]["request_id"] == "req_1"
