"""Replies with any JSON in any place, and events doubled or moved: read or refused, never a failure."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.model import DialectName
from callmissed_ai.dialects.accumulation import events_of
from callmissed_ai.dialects.conversation import Reply, ReplyFrame, Stop, Text, Thinking, ToolCall
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.dialects.stream_reader import UnreadableStream
from callmissed_ai.dialects.translation import Translation
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.tokens.usage import TokenUsage
from tests.support.inference.any_json import with_something_else

FRAME = ReplyFrame("x1", 1, "lab-chat", {"model": "lab-chat", "input": "Hello"})
REPLY = Reply(
    (Thinking("Hm", "c2ln"), Text("Hello"), ToolCall("a", "look", '{"a":1}')), Stop.TOOL_CALLS, usage=TokenUsage(5, 7)
)
DIALECTS: tuple[DialectName, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
PAIRS = [(upstream, caller) for upstream in DIALECTS for caller in DIALECTS if upstream != caller]


def events(dialect: DialectName) -> list[bytes]:
    """The events of a stream of `REPLY`."""
    writer = open_dialect(dialect).stream_writer(FRAME, wants_usage=True)
    body = b"".join([*map(writer.write, events_of(REPLY)), writer.closing(None, "req_1")])
    return [event + b"\n\n" for event in body.split(b"\n\n") if event]


STREAMS = {dialect: events(dialect) for dialect in DIALECTS}


def changed(event: bytes, data: st.DataObject) -> bytes:
    """`event` with any JSON in one place."""
    head, _, text = event.partition(b"data: ")
    if b"{" not in text:
        return event
    fields: dict[str, Any] = json.loads(text)
    name = data.draw(st.sampled_from(sorted(fields)))
    return head + b"data: " + written_json({**fields, name: with_something_else(fields[name], data)}) + b"\n\n"


@pytest.mark.parametrize(("upstream", "caller"), PAIRS)
@given(data=st.data())
def test_stream_of_odd_events(upstream: DialectName, caller: DialectName, data: st.DataObject) -> None:
    stream = STREAMS[upstream]
    order = data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=4)) if data.draw(st.booleans()) else []
    odd = data.draw(st.integers(0, len(stream) - 1))
    body = [changed(event, data) if number == odd else event for number, event in enumerate(stream)]
    body[odd:odd] = [stream[number] for number in order]
    passage = Translation(
        open_dialect(upstream).stream_reader(), open_dialect(caller).stream_writer(FRAME, wants_usage=True)
    )
    with suppress(UnreadableStream):
        for event in body:
            list(passage.feed(event))
        list(passage.end())


@pytest.mark.parametrize(("upstream", "caller"), PAIRS)
@given(data=st.data())
def test_whole_reply_of_odd_fields(upstream: DialectName, caller: DialectName, data: st.DataObject) -> None:
    whole = dict(open_dialect(upstream).write_reply(REPLY, FRAME))
    name = data.draw(st.sampled_from(sorted(whole)))
    with suppress(UnusableReply):
        reply = open_dialect(upstream).read_reply({**whole, name: with_something_else(whole[name], data)})
        written_json(open_dialect(caller).write_reply(reply, FRAME))
