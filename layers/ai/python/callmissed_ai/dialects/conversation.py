"""The neutral form of a request, a reply and a stream: each dialect is read into it and written from it.

A reader accounts for every field: it carries the field, puts it into the `extras` of its part, or raises ApiError 400
with its name. Extras belong to one dialect. They come out unchanged when the conversation returns to that dialect; a
writer of another dialect ignores them, as they are marks and hints.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from callmissed.catalog.model import DialectName
from callmissed_ai.tokens.usage import TokenUsage

Extras = Mapping[DialectName, Mapping[str, Any]]
"""Fields that only one dialect has, by dialect and name."""

Role = Literal["system", "user", "assistant"]


def _no_extras() -> Extras:
    return {}


@dataclass(frozen=True, slots=True)
class Text:
    """Text."""

    text: str
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class Image:
    """An image: at `url`, or as base64 `data` of `media_type`. `param` is its path in the caller's request."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str | None = None
    extras: Extras = field(default_factory=_no_extras)
    param: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A document: at `url`, as base64 `data`, or as plain `text`. `param` is its path in the caller's request."""

    url: str = ""
    data: str = ""
    text: str = ""
    media_type: str = ""
    title: str | None = None
    extras: Extras = field(default_factory=_no_extras)
    param: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model's reasoning as text, which may be empty, with the `signature` that its provider demands back."""

    text: str
    signature: str | None = None
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class RedactedThinking:
    """Reasoning that only its provider can read."""

    data: str
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of the call `call_id`."""

    call_id: str
    parts: tuple[Text | Image | Document, ...]
    is_error: bool = False
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's words for what it will not do."""

    text: str
    extras: Extras = field(default_factory=_no_extras)


def written_text(parts: Iterable[object]) -> str:
    """Everything that a model wrote in the parts of a reply."""
    return "".join(
        part.name + part.arguments if isinstance(part, ToolCall) else part.text
        for part in parts
        if isinstance(part, Text | Thinking | Refusal | ToolCall)
    )


Part = Text | Image | Document | Thinking | RedactedThinking | ToolCall | ToolResult | Refusal


def place_of(part: Part, otherwise: str) -> str:
    """The path of a part in the caller's request, for errors: `otherwise` where the part does not know its own."""
    return part.param or otherwise if isinstance(part, Image | Document) else otherwise


@dataclass(frozen=True, slots=True)
class Turn:
    """A message. `param` is its path in the caller's request, for errors."""

    role: Role
    parts: tuple[Part, ...]
    param: str = "messages"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function on offer. `parameters` is a JSON schema, None for a function without parameters."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools may (`auto`), must (`required`) or may not (`none`) be called, or the one that must."""

    mode: Literal["auto", "required", "none", "named"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The form of the reply's text: any JSON object where `schema` is None, else JSON of that schema."""

    schema: Mapping[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much the model is to think: at all, up to a `budget` in tokens, with an `effort`.

    None leaves it to the model, and `adaptive` lets the model decide for each request.
    """

    mode: Literal["off", "on", "adaptive"] | None = None
    budget: int | None = None
    effort: str | None = None
    extras: Extras = field(default_factory=_no_extras)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request for the next turn. `output_limit` is in tokens.

    `verbosity` and `cache_key` are hints, which go to dialects alone whose providers all know them. `continues` says
    that the reply goes on with the last turn, which is the assistant's.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output_limit: int | None = None
    output_format: OutputFormat | None = None
    reasoning: Reasoning = field(default_factory=Reasoning)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    user: str | None = None
    streamed: bool = False
    verbosity: str | None = None
    cache_key: str | None = None
    continues: bool = False


class Stop(StrEnum):
    """Why a reply ended."""

    END = "end"
    LIMIT = "limit"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_CALLS = "tool_calls"
    REFUSED = "refused"
    PAUSED = "paused"
    CONTEXT_FULL = "context_full"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. `usage` is None where the provider reports none."""

    parts: tuple[Part, ...]
    stop: Stop
    stop_sequence: str | None = None
    usage: TokenUsage | None = None


@dataclass(frozen=True, slots=True)
class ReplyFrame:
    """What a reply says beside its parts: its id without prefix, its beginning in epoch seconds, the model's name.

    `request` is the caller's request, whose settings some dialects repeat in the reply.
    """

    reply_id: str
    created: int
    model: str
    request: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True)
class PartStarted:
    """A part begins, still empty but for its id, name or data. Parts are numbered from 0."""

    index: int
    part: Part


@dataclass(frozen=True, slots=True)
class PartGrew:
    """More text of a part: of a text, a thought, a refusal, or of a call's arguments."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class PartSigned:
    """The signature of a thought."""

    index: int
    signature: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    """Nothing more comes of a part."""

    index: int


@dataclass(frozen=True, slots=True)
class UsageReported:
    """Tokens so far, as the provider counts them.

    `at_start` says that nothing was written yet, so that the report covers no reply.
    """

    usage: TokenUsage
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class ReplyStopped:
    """The reply's end; a report of usage may still follow."""

    stop: Stop
    stop_sequence: str | None = None


PartEvent = PartStarted | PartGrew | PartSigned | PartEnded
Event = PartEvent | UsageReported | ReplyStopped
"""What happens in a stream. Parts may overlap: a call may grow after the next one has begun."""
