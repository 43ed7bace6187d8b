"""A responses request decoded down to its items, for its translation.

Unknown fields are ignored here: `request_reader` refuses them by shape. Tags of unions are in angle brackets, which
distinguishes them from fields in the location of an error.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from callmissed_ai.dialects.openai_responses.request import Effort

_Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
_Status = Literal["in_progress", "completed", "incomplete"]
_Phase = Literal["commentary", "final_answer"]


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", defer_build=True)


class InputText(_Read):
    """Text that the caller wrote."""

    type: Literal["input_text"]
    text: str


class OutputText(_Read):
    """Text of an earlier reply."""

    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class OutputRefusal(_Read):
    """An earlier refusal."""

    type: Literal["refusal"]
    refusal: str


class InputImage(_Read):
    """An image at a URL, `data:` URLs included."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class InputFile(_Read):
    """A file in base64, or at a URL."""

    type: Literal["input_file"]
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


def _type_tag(value: object) -> str:
    kind: object = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  any JSON
    return f"<{kind}>"


def _content_tag(value: object) -> str:
    return "<parts>" if isinstance(value, list) else "<text>"


_Shown = (
    Annotated[InputText, Tag("<input_text>")]
    | Annotated[InputImage, Tag("<input_image>")]
    | Annotated[InputFile, Tag("<input_file>")]
)
ShownPart = Annotated[
    _Shown, Discriminator(_type_tag, custom_error_type="invalid_value", custom_error_message="no part of a result")
]
MessagePart = Annotated[
    _Shown | Annotated[OutputText, Tag("<output_text>")] | Annotated[OutputRefusal, Tag("<refusal>")],
    Discriminator(_type_tag, custom_error_type="invalid_value", custom_error_message="no part of a message"),
]
_Text = Annotated[str, Tag("<text>")]


class MessageItem(_Read):
    """A message."""

    type: Literal["message"]
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[_Text | Annotated[list[MessagePart], Tag("<parts>")], Discriminator(_content_tag)]
    id: str | None = None
    status: _Status | None = None
    phase: _Phase | None = None


class FunctionCallItem(_Read):
    """An earlier call of a function."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: _Status | None = None


class FunctionResultItem(_Read):
    """The result of an earlier call."""

    type: Literal["function_call_output"]
    call_id: str
    output: Annotated[_Text | Annotated[list[ShownPart], Tag("<parts>")], Discriminator(_content_tag)]
    id: str | None = None
    status: _Status | None = None


class ReasoningText(_Read):
    """A part of a reasoning item."""

    type: Literal["summary_text", "reasoning_text"]
    text: str


class ReasoningItem(_Read):
    """Reasoning of an earlier reply."""

    type: Literal["reasoning"]
    summary: list[ReasoningText]
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    id: str | None = None


Item = Annotated[
    Annotated[MessageItem, Tag("<message>")]
    | Annotated[FunctionCallItem, Tag("<function_call>")]
    | Annotated[FunctionResultItem, Tag("<function_call_output>")]
    | Annotated[ReasoningItem, Tag("<reasoning>")],
    Discriminator(
        _type_tag,
        custom_error_type="invalid_value",
        custom_error_message="the type must be 'message', 'function_call', 'function_call_output' or 'reasoning'",
    ),
]


class FlatFunction(_Read):
    """A function on offer. `parameters` is a JSON schema."""

    type: Literal["function"]
    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(_Read):
    """A tool by its name."""

    type: Literal["function"]
    name: str


class AllowedTools(_Read):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[NamedTool]


def _choice_tag(value: object) -> str:
    return "<mode>" if isinstance(value, str) else _type_tag(value)


_Choice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
    | Annotated[NamedTool, Tag("<function>")]
    | Annotated[AllowedTools, Tag("<allowed_tools>")],
    Discriminator(_choice_tag),
]


class TextFormat(_Read):
    """The form of the reply's text."""

    type: Literal["text", "json_object", "json_schema"]
    name: _Name | None = None
    description: str | None = None
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class TextConfig(_Read):
    """Form and length of the reply's text."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class TypedReasoning(_Read):
    """How much the model is to think."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class TypedResponsesRequest(_Read):
    """A responses request, decoded down to its items."""

    input: Annotated[_Text | Annotated[list[Item], Field(min_length=1), Tag("<parts>")], Discriminator(_content_tag)]
    instructions: str | None = None
    max_output_tokens: int | None = None
    tools: Annotated[list[FlatFunction], Field(max_length=128)] | None = None
    tool_choice: _Choice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: TypedReasoning | None = None
    temperature: float | None = None
    top_p: float | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    stream: bool | None = None
