"""Replies through the neutral form: nothing is lost there and back, and a stream adds up to the blocking reply."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.model import DialectName
from callmissed_ai.dialects.accumulation import whole_reply
from callmissed_ai.dialects.conversation import (
    Event,
    Extras,
    Part,
    PartEnded,
    PartGrew,
    PartSigned,
    PartStarted,
    RedactedThinking,
    Reply,
    ReplyFrame,
    ReplyStopped,
    Stop,
    Text,
    Thinking,
    ToolCall,
    UsageReported,
)
from callmissed_ai.dialects.openai_responses.carriers import content_of
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.tokens.usage import TokenUsage

FRAME = ReplyFrame("x1", 1, "lab-chat")
DIALECTS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")

texts = st.text(min_size=1, max_size=20)
words = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
counts = st.integers(0, 10**9)
json_objects = st.dictionaries(words, st.none() | st.booleans() | st.integers() | texts, max_size=3)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Replies in the order in which every dialect can have them: thoughts, one text, calls with different ids."""
    thoughts = st.builds(Thinking, texts, texts) | st.builds(RedactedThinking, texts)
    parts: list[Part] = draw(st.lists(thoughts, max_size=2))
    parts += [Text(text) for text in draw(st.lists(texts, max_size=1))]
    ids = draw(st.lists(words, max_size=3, unique=True))
    calls = [ToolCall(call_id, draw(words), compact(draw(json_objects))) for call_id in ids]
    stop = Stop.TOOL_CALLS if calls else draw(st.sampled_from([Stop.END, Stop.LIMIT]))
    cached, written, new = draw(counts), draw(counts), draw(counts)
    usage = TokenUsage(cached + written + new, draw(counts), cached, cache_write=written)
    return Reply((*parts, *calls), stop, usage=usage)


def events_of(reply: Reply) -> Iterator[Event]:
    """The events of a stream of `reply`, its texts in two pieces."""
    for index, part in enumerate(reply.parts):
        match part:
            case Text():
                yield PartStarted(index, Text(""))
                yield from (PartGrew(index, piece) for piece in halves(part.text))
            case Thinking():
                yield PartStarted(index, Thinking(""))
                yield from (PartGrew(index, piece) for piece in halves(part.text))
                yield PartSigned(index, part.signature or "")
            case ToolCall():
                yield PartStarted(index, replace(part, arguments=""))
                yield from (PartGrew(index, piece) for piece in halves(part.arguments))
            case _:
                yield PartStarted(index, part)
        yield PartEnded(index)
    if reply.usage:
        yield UsageReported(reply.usage)
    yield ReplyStopped(reply.stop)


def halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def written(dialect: DialectName, events: Iterable[Event]) -> bytes:
    opened = open_dialect(dialect)
    writer = opened.stream_writer(FRAME, wants_usage=True)
    return b"".join(map(writer.write, events)) + writer.closing(None, "req_1")


def read(dialect: DialectName, pieces: Sequence[bytes]) -> list[Event]:
    reader = open_dialect(dialect).stream_reader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return [*events, *reader.end()]


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(reply=replies())
def test_whole_reply_comes_back_as_it_was(reply: Reply) -> None:
    for dialect in DIALECTS:
        opened = open_dialect(dialect)
        read_again = opened.read_reply(through_json(opened.write_reply(reply, FRAME)))

        assert read_again == of_reader(dialect, reply), dialect


@given(reply=replies())
def test_stream_adds_up_to_the_whole_reply(reply: Reply) -> None:
    for dialect in DIALECTS:
        whole = whole_reply(read(dialect, [written(dialect, events_of(reply))]))

        assert whole == of_reader(dialect, reply), dialect


@given(reply=replies(), data=st.data())
def test_events_are_the_same_however_the_bytes_are_cut(reply: Reply, data: st.DataObject) -> None:
    for dialect in DIALECTS:
        body = written(dialect, events_of(reply))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
        pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

        assert read(dialect, pieces) == read(dialect, [body]), dialect


@given(reply=replies())
def test_stream_through_another_dialect_adds_up_too(reply: Reply) -> None:
    for inner, outer in permutations(DIALECTS, 2):
        direct = whole_reply(read(inner, [written(inner, events_of(reply))]))
        translated = written(outer, read(inner, [written(inner, events_of(reply))]))

        found = whole_reply(read(outer, [translated]))

        assert plain(found) == plain(direct), (inner, outer)


def of_reader(dialect: DialectName, reply: Reply) -> Reply:
    """`reply` as a reader of `dialect` returns it: thoughts keep in what form they came."""
    if dialect == "anthropic_messages":
        return reply
    if dialect == "openai_responses":
        return replace(reply, parts=tuple(of_responses(part, index) for index, part in enumerate(reply.parts)))
    thoughts = 0
    parts: list[Part] = []
    for part in reply.parts:
        if isinstance(part, Thinking | RedactedThinking):
            kind = "reasoning.text" if isinstance(part, Thinking) else "reasoning.encrypted"
            detail = {"type": kind, "format": "anthropic-claude-v1", "index": thoughts}
            part = replace(part, extras={"openai_chat": {"reasoning_details": detail}})
            thoughts += 1
        parts.append(part)
    return replace(reply, parts=tuple(parts))


def of_responses(part: Part, index: int) -> Part:
    """A thought as a reader of responses returns it, with what its writer made of the signature."""
    own = {"id": f"rs_x1{index:04x}"}
    match part:
        case Thinking():
            extras: Extras = {"openai_responses": {**own, "type": "summary_text", "part": 0}}
            return Thinking(part.text, content_of(part), extras)
        case RedactedThinking():
            return RedactedThinking(content_of(part) or "", {"openai_responses": own})
        case _:
            return part


def plain(reply: Reply) -> Reply:
    """`reply` without what thoughts carry for their provider."""
    parts = (part for part in reply.parts if not isinstance(part, Thinking | RedactedThinking))
    return replace(reply, parts=tuple(parts))
