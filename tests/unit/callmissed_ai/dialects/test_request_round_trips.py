"""Requests through the neutral form: nothing is lost within a dialect, nor there and back through another."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.model import DialectName
from callmissed_ai.dialects.conversation import (
    Conversation,
    Image,
    OutputFormat,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from callmissed_ai.dialects.opening import open_dialect

CALLERS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")
LIMIT = 4_000

texts = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
words = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
objects = st.dictionaries(words, st.none() | st.booleans() | st.integers() | texts, max_size=3)
schemas = st.builds(lambda names: {"type": "object", "properties": {name: {} for name in names}}, st.lists(words))
inline_images = st.sampled_from([("iVBORw==", "image/png"), ("/9j/", "image/jpeg")])
images = st.builds(Image, url=words.map("https://example.com/{}".format)) | inline_images.map(
    lambda found: Image(data=found[0], media_type=found[1])
)
tools = st.builds(Tool, words, st.none() | texts, schemas, st.none() | st.booleans())
closed = schemas.map(lambda schema: {**schema, "additionalProperties": False})
formats = st.builds(OutputFormat, closed, st.just("reply"), strict=st.just(True))

efforts = st.sampled_from([Reasoning("adaptive", effort="low"), Reasoning("adaptive", effort="high")])
samplings = st.sampled_from([(None, None), (0.0, None), (0.5, None), (1.0, None), (None, 0.5), (None, 1.0)])
"""Temperature and top_p: a model of messages takes one, and none where it thinks."""


@st.composite
def exchanges(draw: st.DrawFn) -> Sequence[Turn]:
    """A question, perhaps with images; calls of tools with their results in any order; an answer."""
    asked = draw(st.lists(st.builds(Text, texts) | images, min_size=1, max_size=3))
    turns = [Turn("user", tuple(asked))]
    ids = draw(st.lists(words, max_size=3, unique=True))
    if ids:
        said = [Text(text) for text in draw(st.lists(texts, max_size=1))]
        calls = [ToolCall(call_id, draw(words), compact(draw(objects))) for call_id in ids]
        turns.append(Turn("assistant", (*said, *calls)))
        results = [ToolResult(call_id, (Text(draw(texts)),)) for call_id in draw(st.permutations(ids))]
        turns.append(Turn("user", tuple(results)))
    return [*turns, Turn("assistant", (Text(draw(texts)),))]


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Requests with what every dialect has."""
    instructions = [Turn("system", (Text(text),)) for text in draw(st.lists(texts, max_size=1))]
    before = [turn for exchange in draw(st.lists(exchanges(), max_size=2)) for turn in exchange]
    offered = draw(st.lists(tools, max_size=2, unique_by=lambda tool: tool.name))
    choices = [ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")]
    named = [ToolChoice("named", tool.name) for tool in offered]
    choice = draw(st.none() | st.sampled_from([*choices, *named])) if offered else None
    temperature, top_p = draw(samplings)
    free = choice is None or choice.mode in ("auto", "none")
    thinks = free and temperature is None and top_p is None and draw(st.booleans())
    return Conversation(
        turns=(*instructions, *before, Turn("user", (Text(draw(texts)),))),
        tools=tuple(offered),
        tool_choice=choice,
        parallel_tool_calls=draw(st.sampled_from([None, False])) if choice and choice.mode != "none" else None,
        output_limit=LIMIT,
        output_format=draw(st.none() | formats),
        reasoning=draw(efforts) if thinks else Reasoning(),
        temperature=temperature,
        top_p=top_p,
        stop=tuple(draw(st.lists(texts, max_size=2))),
        user=draw(st.none() | words),
        streamed=draw(st.booleans()),
    )


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def having(dialect: DialectName, conversation: Conversation) -> Conversation:
    """The conversation without what the dialect has no field for, and with what it always says."""
    if dialect != "openai_responses":
        return conversation
    said = tuple(replace(tool, strict=bool(tool.strict)) for tool in conversation.tools)
    return replace(conversation, stop=(), tools=said)


def written(dialect: DialectName, conversation: Conversation) -> dict[str, Any]:
    """A request as its caller sends it."""
    opened = open_dialect(dialect)
    body = opened.write_request(conversation)
    return json.loads(compact({"model": "m", **body, opened.limit_field: LIMIT}))


def read(dialect: DialectName, body: dict[str, Any]) -> Conversation:
    return open_dialect(dialect).read_request(body)


@given(conversation=conversations())
def test_request_comes_back_as_it_was(conversation: Conversation) -> None:
    for dialect in CALLERS:
        asked = written(dialect, having(dialect, conversation))

        assert written(dialect, read(dialect, asked)) == asked, dialect


@given(conversation=conversations())
def test_request_that_is_written_is_accepted_with_a_bound_above_its_count(conversation: Conversation) -> None:
    for dialect in CALLERS:
        asked = written(dialect, having(dialect, conversation))
        size = len(compact(asked).encode())
        opened = open_dialect(dialect)

        opened.check_size(asked, size)
        bound = opened.ask(asked, size)
        assert opened.count(asked, None) <= bound.input_tokens, dialect
        has_images = any(isinstance(part, Image) for turn in conversation.turns for part in turn.parts)
        assert bound.has_images == has_images, dialect
        assert list(opened.further_fields(asked)) == [], dialect


@given(conversation=conversations())
def test_request_comes_back_through_another_dialect(conversation: Conversation) -> None:
    for inner, outer in permutations(CALLERS, 2):
        common = having(inner, having(outer, conversation))
        asked = written(inner, common)

        through = written(outer, read(inner, asked))

        assert written(inner, read(outer, through)) == asked, (inner, outer)
