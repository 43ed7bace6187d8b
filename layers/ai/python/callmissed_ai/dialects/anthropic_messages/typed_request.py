"""A messages request decoded down to its blocks, for its translation. Fields that are not named here are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from callmissed_ai.dialects.anthropic_messages.request import MAX_MESSAGES
from callmissed_ai.preferences.request_field import ProviderPreferences

_Effort = Literal["low", "medium", "high", "xhigh", "max"]


class _Closed(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class CacheControl(_Closed):
    """A mark up to which the provider may cache the prompt."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class _Marked(_Closed):
    cache_control: CacheControl | None = None


class TextBlock(_Marked):
    """Text; `citations` are those that an earlier reply had."""

    type: Literal["text"]
    text: str
    citations: list[dict[str, Any]] | None = None


class Base64Source(_Closed):
    """Bytes in the request."""

    type: Literal["base64"]
    media_type: str
    data: str


class UrlSource(_Closed):
    """Bytes elsewhere."""

    type: Literal["url"]
    url: str


class PlainTextSource(_Closed):
    """A document's text in the request."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class ImageBlock(_Marked):
    """An image."""

    type: Literal["image"]
    source: Annotated[Base64Source | UrlSource, Field(discriminator="type")]


class CitationsSwitch(_Closed):
    """Whether replies cite the document."""

    enabled: bool = False


class DocumentBlock(_Marked):
    """A document."""

    type: Literal["document"]
    source: Annotated[Base64Source | UrlSource | PlainTextSource, Field(discriminator="type")]
    title: str | None = None
    context: str | None = None
    citations: CitationsSwitch | None = None


class DirectCaller(_Closed):
    """The model itself made a call."""

    type: Literal["direct"]


class ToolUseBlock(_Marked):
    """An earlier call of a tool."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: DirectCaller | None = None


ResultBlock = Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]


class ToolResultBlock(_Marked):
    """The result of an earlier call."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[ResultBlock] | None = None
    is_error: bool | None = None


class ThinkingBlock(_Closed):
    """Reasoning of an earlier reply."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(_Closed):
    """Reasoning of an earlier reply that only its provider can read."""

    type: Literal["redacted_thinking"]
    data: str


Block = Annotated[
    TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock,
    Field(discriminator="type"),
]


class TypedMessage(_Closed):
    """One message."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class TypedTool(_Marked):
    """A function on offer. Hosted tools have other types and are refused."""

    type: Literal["custom"] | None = None
    name: str
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[dict[str, Any]] | None = None


class TypedToolChoice(_Closed):
    """Which tools may be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(_Closed):
    """How the model is to think."""

    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class JsonOutput(_Closed):
    """A schema that the reply's text must fit."""

    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")


class OutputConfig(_Closed):
    """The reply's form, and how much work goes into it."""

    effort: _Effort | None = None
    format: JsonOutput | None = None


class Metadata(_Closed):
    """Who the call is for."""

    user_id: str | None = None


class TypedMessagesRequest(_Marked):
    """A messages request, decoded down to its blocks. `max_tokens` is missing where tokens are only counted."""

    model: str
    messages: list[TypedMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_tokens: int | None = None
    system: str | list[TextBlock] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    metadata: Metadata | None = None
    tools: list[TypedTool] | None = None
    tool_choice: TypedToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    models: list[str] | None = None
    provider: ProviderPreferences | None = None
