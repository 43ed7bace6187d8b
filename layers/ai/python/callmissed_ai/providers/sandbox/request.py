"""A chat completion request as the sandbox understands it: the fields, and the rules between them, of OpenAI's API.

Fields that the sandbox has no use for are ignored, as a gateway in front may add its own.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from callmissed_ai.providers.sandbox.rejection import Rejected, rejection_of

_THINKING_EFFORTS = frozenset({"medium", "high", "xhigh"})
_Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
_Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
_Penalty = Annotated[float, Field(ge=-2, le=2)]


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
    """Where an image is, `data:` URLs included, and how closely to look at it."""

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
    """What the user says and shows."""

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


class Function(_Strict):
    """A function that may be called. `parameters` is a JSON schema."""

    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Strict):
    """A tool on offer; the sandbox knows functions."""

    type: Literal["function"]
    function: Function


class _NamedFunction(_Strict):
    name: str


class NamedChoice(_Strict):
    """An order to call one function."""

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


class StreamOptions(_Strict):
    """What a stream carries besides the reply."""

    include_usage: bool | None = None


class Reasoning(_Strict):
    """How much to think: an effort, a limit in tokens, or both."""

    effort: _Effort | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


def _choice_tag(value: object) -> str:
    return "<mode>" if isinstance(value, str) else "<named>"


_Mode = Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
_ToolChoice = Annotated[_Mode | Annotated[NamedChoice, Tag("<named>")], Discriminator(_choice_tag)]


def _stop_tag(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


_Stops = Annotated[list[str], Field(max_length=4), Tag("<list>")]


class ChatRequest(_Strict):
    """A chat completion request; see https://platform.openai.com/docs/api-reference/chat/create."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    seed: int | None = None
    stop: Annotated[_Text | _Stops, Discriminator(_stop_tag)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[Tool], Field(min_length=1, max_length=128)] | None = None
    tool_choice: _ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: _Effort | None = None
    reasoning: Reasoning | None = None

    @property
    def output_limit(self) -> int | None:
        """The most tokens that one choice may have, reasoning included."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """Texts at which the reply ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def effort(self) -> str | None:
        """The effort asked for, if it is one that shows its thinking: `medium`, `high` or `xhigh`."""
        asked = self.reasoning_effort or (self.reasoning.effort or "medium" if self.reasoning else None)
        return asked if asked in _THINKING_EFFORTS else None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)


def parse_request(body: Mapping[str, Any]) -> ChatRequest:
    """The request in `body`. Raises Rejected for the first thing that OpenAI would refuse."""
    try:
        request = ChatRequest.model_validate(dict(body))
    except ValidationError as error:
        raise rejection_of(error) from None
    _check_options(request)
    _check_tool_choice(request)
    _check_tool_turns(request.messages)
    return request


def text_of(content: str | Sequence[TextPart | ImagePart | RefusalPart] | None) -> str:
    """The text of a message's content, parts joined by newlines."""
    if isinstance(content, str) or content is None:
        return content or ""
    texts = [part.text if isinstance(part, TextPart) else part.refusal for part in content if part.type != "image_url"]
    return "\n".join(texts)


def _check_options(request: ChatRequest) -> None:
    if request.stream_options and not request.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Rejected(message, "stream_options")
    if request.max_tokens and request.max_completion_tokens:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise Rejected(message, "max_tokens")
    if request.top_logprobs is not None and not request.logprobs:
        raise Rejected("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    _check_response_format(request)


def _check_response_format(request: ChatRequest) -> None:
    wanted = request.response_format
    if wanted is None:
        return
    if wanted.type == "json_schema" and wanted.json_schema is None:
        path = "response_format.json_schema"
        raise Rejected(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if wanted.type == "json_object" and not any("json" in text_of(m.content).lower() for m in request.messages):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise Rejected(message, "messages")


def _check_tool_choice(request: ChatRequest) -> None:
    for name in ("tool_choice", "parallel_tool_calls"):
        if getattr(request, name) is not None and not request.tools:
            raise Rejected(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name)
    if isinstance(request.tool_choice, NamedChoice):
        name = request.tool_choice.function.name
        if name not in {tool.function.name for tool in request.tools or ()}:
            raise Rejected(f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")


def _check_tool_turns(messages: Sequence[Message]) -> None:
    """Every tool call is answered right after the message that made it, and nothing else is."""
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in waiting:
                text = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise Rejected(f"Invalid parameter: {text}", f"messages[{index}].role")
            waiting.discard(message.tool_call_id)
            continue
        _check_answered(waiting)
        calls = message.tool_calls if isinstance(message, AssistantMessage) else None
        waiting = {call.id for call in calls or ()}
        if isinstance(message, AssistantMessage) and not calls and message.content is None and message.refusal is None:
            raise Rejected("Invalid value for 'content': expected a string, got null.", f"messages[{index}].content")
    _check_answered(waiting)


def _check_answered(waiting: set[str]) -> None:
    if waiting:
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
        missing = ", ".join(sorted(waiting))
        raise Rejected(f"{text} 'tool_call_id'. No response for: {missing}", "messages")
