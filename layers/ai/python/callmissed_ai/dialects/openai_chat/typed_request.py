"""A request decoded down to its messages, tools and formats, for code that must understand it and not only pass it on.

It accepts the requests that OpenAI's API accepts, and ignores unknown fields. The tags of its unions are in angle
brackets, which distinguishes them from fields in the location of an error.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from callmissed_ai.dialects.openai_chat.request import ChatRequest, Effort

_Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", defer_build=True)


class TextPart(_Strict):
    """A piece of text in a message."""

    type: Literal["text"]
    text: str


class RefusalPart(_Strict):
    """An earlier refusal of the assistant, sent back as history."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(_Strict):
    """URL of an image, `data:` URLs included, and the level of detail."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(_Strict):
    """An image in a user message."""

    type: Literal["image_url"]
    image_url: ImageUrl


def _content_tag(value: object) -> str:
    return "<parts>" if isinstance(value, list) else "<text>"


def _part_tag(value: object) -> str | None:
    kind: object = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return f"<{kind}>"


_NO_PART = "not a part that this role may send"
_Text = Annotated[str, Tag("<text>")]
_UserPart = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[ImagePart, Tag("<image_url>")],
    Discriminator(_part_tag, custom_error_type="invalid_value", custom_error_message=_NO_PART),
]
_AssistantPart = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[RefusalPart, Tag("<refusal>")],
    Discriminator(_part_tag, custom_error_type="invalid_value", custom_error_message=_NO_PART),
]
_Content = Annotated[_Text | Annotated[list[TextPart], Tag("<parts>")], Discriminator(_content_tag)]
_UserContent = Annotated[_Text | Annotated[list[_UserPart], Tag("<parts>")], Discriminator(_content_tag)]
_AssistantContent = Annotated[_Text | Annotated[list[_AssistantPart], Tag("<parts>")], Discriminator(_content_tag)]


class CalledFunction(_Strict):
    """Name and JSON arguments of a call in the history."""

    name: str
    arguments: str


class PastToolCall(_Strict):
    """A tool call that the assistant made earlier."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class SystemMessage(_Strict):
    """Instructions of the operator or the developer."""

    role: Literal["system", "developer"]
    content: _Content
    name: str | None = None


class UserMessage(_Strict):
    """A message of the user: text and images."""

    role: Literal["user"]
    content: _UserContent
    name: str | None = None


class AssistantMessage(_Strict):
    """An earlier reply."""

    role: Literal["assistant"]
    content: _AssistantContent | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: Annotated[list[PastToolCall], Field(min_length=1)] | None = None


class ToolMessage(_Strict):
    """The result of a tool call."""

    role: Literal["tool"]
    content: _Content
    tool_call_id: str


def _role_tag(value: object) -> str:
    role: object = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return "<system>" if role == "developer" else f"<{role}>"


Message = Annotated[
    Annotated[SystemMessage, Tag("<system>")]
    | Annotated[UserMessage, Tag("<user>")]
    | Annotated[AssistantMessage, Tag("<assistant>")]
    | Annotated[ToolMessage, Tag("<tool>")],
    Discriminator(
        _role_tag,
        custom_error_type="invalid_value",
        custom_error_message="the role must be 'system', 'developer', 'user', 'assistant' or 'tool'",
    ),
]


class ToolFunction(_Strict):
    """A function that may be called. `parameters` is a JSON schema."""

    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(_Strict):
    """A tool on offer; the sandbox knows functions."""

    type: Literal["function"]
    function: ToolFunction


class _NamedFunction(_Strict):
    name: str


class NamedChoice(_Strict):
    """A choice that forces one function."""

    type: Literal["function"]
    function: _NamedFunction


class NamedSchema(_Strict):
    """The JSON schema that a reply must fit."""

    name: _Name
    description: str | None = None
    json_schema: dict[str, Any] = Field(default_factory=dict[str, Any], alias="schema")
    strict: bool | None = None


class ResponseFormat(_Strict):
    """The form of the reply's text."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class ReasoningOptions(_Strict):
    """Amount of reasoning: an effort, a limit in tokens, or both."""

    effort: Effort | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


def _choice_tag(value: object) -> str:
    return "<mode>" if isinstance(value, str) else "<named>"


_Mode = Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
_ToolChoice = Annotated[_Mode | Annotated[NamedChoice, Tag("<named>")], Discriminator(_choice_tag)]


def _stop_tag(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


_Stops = Annotated[list[str], Field(max_length=4), Tag("<list>")]


class TypedChatRequest(ChatRequest):
    """A chat completion request, decoded down to its messages, tools and formats."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", defer_build=True)

    messages: Annotated[list[Message], Field(min_length=1)]  # pyright: ignore[reportIncompatibleVariableOverride]
    stop: Annotated[_Text | _Stops, Discriminator(_stop_tag)] | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[FunctionTool], Field(min_length=1, max_length=128)] | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    tool_choice: _ToolChoice | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    response_format: ResponseFormat | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    reasoning: ReasoningOptions | None = None

    @property
    def output_limit(self) -> int | None:
        """Maximum tokens of one choice, reasoning included."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """Texts at which the reply ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def effort(self) -> str | None:
        """The requested reasoning effort; `medium` for reasoning without one."""
        return self.reasoning_effort or (self.reasoning.effort or "medium" if self.reasoning else None)


def text_of(content: str | Sequence[TextPart | ImagePart | RefusalPart] | None) -> str:
    """The text of a message's content, parts joined by newlines."""
    if isinstance(content, str) or content is None:
        return content or ""
    texts = [part.text if isinstance(part, TextPart) else part.refusal for part in content if part.type != "image_url"]
    return "\n".join(texts)
