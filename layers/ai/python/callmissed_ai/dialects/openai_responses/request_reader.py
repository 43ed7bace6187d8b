"""From a responses request to the neutral conversation."""

import base64
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import (
    Conversation,
    Document,
    Extras,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    RedactedThinking,
    Refusal,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from callmissed_ai.dialects.further_fields import chosen_by_type, further_fields, shape
from callmissed_ai.dialects.openai_responses import carriers
from callmissed_ai.dialects.openai_responses.fields import CHOICE, FORMAT, FUNCTION
from callmissed_ai.dialects.openai_responses.request import ENCRYPTED_REASONING, first_error
from callmissed_ai.dialects.openai_responses.typed_request import (
    AllowedTools,
    FlatFunction,
    FunctionCallItem,
    FunctionResultItem,
    InputFile,
    InputImage,
    InputText,
    Item,
    MessageItem,
    MessagePart,
    OutputText,
    ReasoningItem,
    TextConfig,
    TypedReasoning,
    TypedResponsesRequest,
)

_TEXT = shape("type", "text")
_USUAL_DETAIL = "auto"
"""What images say that say nothing of their detail; in other dialects such images have no field for it."""

_IMAGE = shape("type", "image_url", "detail")
_FILE = shape("type", "file_data", "file_url", "filename")
_PART = chosen_by_type(
    input_text=_TEXT,
    input_image=_IMAGE,
    input_file=_FILE,
    output_text=shape("type", "text", free=("annotations", "logprobs")),
    refusal=shape("type", "refusal"),
)
_ITEM = chosen_by_type(
    message=shape("type", "id", "role", "status", "phase", content=_PART),
    function_call=shape("type", "id", "call_id", "name", "arguments", "status"),
    function_call_output=shape("type", "id", "call_id", "status", output=_PART),
    reasoning=shape("type", "id", "status", "encrypted_content", summary=_TEXT, content=_TEXT),
)
_TRANSLATED = shape(
    *("model", "stream", "instructions", "max_output_tokens", "max_tool_calls", "temperature", "top_p"),
    *("parallel_tool_calls", "store", "previous_response_id", "user", "safety_identifier", "prompt_cache_key"),
    "truncation",
    free=("models", "metadata", "include", "provider"),
    input=_ITEM,
    tools=chosen_by_type(function=FUNCTION),
    tool_choice=CHOICE,
    text=shape("verbosity", format=FORMAT),
    reasoning=shape("effort", "summary"),
    stream_options=shape("include_obfuscation"),
)
"""Everything that `read_request` carries, or may leave out because it says nothing about the reply."""

_DIALECT = "openai_responses"
_MESSAGE_FIELDS = ("id", "status", "phase")


def read_request(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a valid request `body`. Raises ApiError 400 for a field that no other dialect can have."""
    _check_fields(body)
    try:
        typed = TypedResponsesRequest.model_validate(body)
    except ValidationError as error:
        raise first_error(error) from None
    tools, choice = _tools(typed)
    return Conversation(
        turns=tuple(_turns(typed)),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=typed.parallel_tool_calls,
        output_limit=typed.max_output_tokens,
        output_format=_format(typed.text),
        reasoning=_reasoning(typed.reasoning),
        temperature=typed.temperature,
        top_p=typed.top_p,
        user=typed.user or typed.safety_identifier,
        streamed=bool(typed.stream),
        verbosity=typed.text.verbosity if typed.text else None,
        cache_key=typed.prompt_cache_key,
    )


def _check_fields(body: Mapping[str, Any]) -> None:
    for field in further_fields(body, _TRANSLATED):
        raise _unsupported(field.param)
    for number, name in enumerate(body.get("include") or ()):
        if name != ENCRYPTED_REASONING:
            raise _unsupported(f"include.{number}")


def _unsupported(param: str) -> ApiError:
    message = f"'{param}' can't be used with this model: its provider's API has no such thing."
    return invalid_request(message, param, "unsupported_field")


def _turns(typed: TypedResponsesRequest) -> Iterator[Turn]:
    if typed.instructions:
        yield Turn("system", (Text(typed.instructions, {_DIALECT: {"instructions": True}}),), param="instructions")
    if isinstance(typed.input, str):
        yield Turn("user", (Text(typed.input),), param="input")
    else:
        yield from _grouped(typed.input)


@dataclass(slots=True)
class _OpenTurn:
    role: Role
    parts: list[Part | carriers.CallExtras]
    param: str

    def continues(self, item: Item) -> bool:
        """Whether `item` belongs to this turn: what an assistant did in a row, or results of tools in a row."""
        last = self.parts[-1] if self.parts else None
        match item:
            case MessageItem():
                return item.role == "assistant" == self.role and not isinstance(last, Text | Refusal)
            case FunctionResultItem():
                return isinstance(last, ToolResult)
            case _:
                return self.role == "assistant"

    def closed(self) -> Turn:
        return Turn(self.role, tuple(carriers.with_extras_of_calls(self.parts)), param=self.param)


def _grouped(items: Sequence[Item]) -> Iterator[Turn]:
    """The turns of items: a reply is several of them."""
    turn: _OpenTurn | None = None
    for index, item in enumerate(items):
        param = f"input.{index}"
        if turn is None or not turn.continues(item):
            if turn is not None:
                yield turn.closed()
            turn = _OpenTurn(_role(item), [], param)
        turn.parts += _parts(item, param)
    if turn is not None:
        yield turn.closed()


def _role(item: Item) -> Role:
    match item:
        case MessageItem():
            return "system" if item.role == "developer" else item.role
        case FunctionResultItem():
            return "user"
        case _:
            return "assistant"


def _parts(item: Item, param: str) -> Iterator[Part | carriers.CallExtras]:
    match item:
        case MessageItem():
            yield from _content(item, param)
        case FunctionCallItem():
            yield ToolCall(item.call_id, item.name, item.arguments, _extras(item, "id", "status"))
        case FunctionResultItem():
            yield _result(item, param)
        case ReasoningItem():
            yield from _thoughts(item)


def _content(item: MessageItem, param: str) -> Iterator[Part]:
    developer = {"role": "developer"} if item.role == "developer" else {}
    message = {**item.model_dump(include={*_MESSAGE_FIELDS}, exclude_none=True), **developer}
    extras: Extras = {_DIALECT: {"message": message}} if message else {}
    if isinstance(item.content, str):
        yield Text(item.content, extras)
        return
    for number, part in enumerate(item.content):
        yield _part(part, extras, f"{param}.content.{number}", item.role)


def _part(part: MessagePart, extras: Extras, param: str, role: str) -> Part:
    match part:
        case InputText():
            return Text(part.text, extras)
        case OutputText():
            own = part.model_dump(include={"annotations", "logprobs"}, exclude_none=True)
            return Text(part.text, {_DIALECT: {**extras.get(_DIALECT, {}), **own}} if own else extras)
        case InputImage() | InputFile() if role != "user":
            raise invalid_request(f"Invalid '{param}': only the user may send images and files.", param)
        case InputImage() | InputFile():
            return _shown(part, param)
        case _:
            return Refusal(part.refusal, extras)


def _shown(part: InputText | InputImage | InputFile, param: str) -> Text | Image | Document:
    match part:
        case InputText():
            return Text(part.text)
        case InputImage():
            return Image(url=part.image_url, detail=None if part.detail == _USUAL_DETAIL else part.detail, param=param)
        case InputFile():
            return _document(part, param)


def _document(file: InputFile, param: str) -> Document:
    if file.file_url:
        return Document(url=file.file_url, title=file.filename, param=param)
    if not file.file_data:
        raise invalid_request(f"Invalid '{param}': a file needs 'file_data' or 'file_url'.", param)
    head, comma, data = file.file_data.rpartition(",")
    media_type = head.removeprefix("data:").partition(";")[0] if comma else ""
    media_type = media_type or mimetypes.guess_type(file.filename or "")[0] or "application/pdf"
    if not media_type.startswith("text/"):
        return Document(data=data, media_type=media_type, title=file.filename, param=param)
    try:
        text = base64.b64decode(data, validate=True).decode()
    except ValueError:
        raise invalid_request(f"Invalid '{param}': 'file_data' is no base64 of UTF-8 text.", param) from None
    return Document(text=text, media_type=media_type, title=file.filename, param=param)


def _result(item: FunctionResultItem, param: str) -> ToolResult:
    extras = _extras(item, "id", "status")
    if isinstance(item.output, str):
        return ToolResult(item.call_id, (Text(item.output),), extras=extras)
    parts = tuple(_shown(part, f"{param}.output.{number}") for number, part in enumerate(item.output))
    return ToolResult(item.call_id, parts, extras=extras)


def _thoughts(item: ReasoningItem) -> Iterator[Part | carriers.CallExtras]:
    """The thoughts of an item, the last of them with what its provider demands back."""
    texts = [*item.summary, *(item.content or ())]
    content = item.encrypted_content
    if content and carriers.is_carrier({"encrypted_content": content}):
        yield carriers.read_carrier(content, "".join(each.text for each in texts))
        return
    own = {"id": item.id} if item.id else {}
    if content and not texts:
        yield RedactedThinking(content, {_DIALECT: own})
    for number, each in enumerate(texts):
        signature = content if number == len(texts) - 1 else None
        yield Thinking(each.text, signature, {_DIALECT: {**own, "type": each.type, "part": number}})


def _tools(typed: TypedResponsesRequest) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools on offer and the choice among them. Of a choice that allows some, only those are on offer."""
    tools, choice = tuple(map(_tool, typed.tools or ())), typed.tool_choice
    if isinstance(choice, AllowedTools):
        return _allowed(tools, choice), ToolChoice(choice.mode)
    if choice is None or isinstance(choice, str):
        return tools, ToolChoice(choice) if choice else None
    return tools, ToolChoice("named", choice.name)


def _allowed(tools: tuple[Tool, ...], choice: AllowedTools) -> tuple[Tool, ...]:
    known = {tool.name: tool for tool in tools}
    for number, each in enumerate(choice.tools):
        if each.name not in known:
            param = f"tool_choice.tools.{number}.name"
            raise invalid_request(f"Invalid '{param}': there is no tool of that name.", param)
    return tuple(known[each.name] for each in choice.tools)


def _tool(tool: FlatFunction) -> Tool:
    extras: Extras = {_DIALECT: {"strict": None}} if tool.strict is None else {}
    return Tool(tool.name, tool.description, tool.parameters, tool.strict, extras)


def _format(text: TextConfig | None) -> OutputFormat | None:
    wanted = text.format if text else None
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return OutputFormat()
    if not wanted.name:
        raise invalid_request("Invalid 'text.format.name': a schema needs a name.", "text.format.name")
    return OutputFormat(wanted.json_schema or {}, wanted.name, wanted.description, wanted.strict)


def _reasoning(reasoning: TypedReasoning | None) -> Reasoning:
    if reasoning is None:
        return Reasoning()
    extras: Extras = {}
    if reasoning.summary:
        extras = {_DIALECT: {"summary": reasoning.summary}, "anthropic_messages": {"display": "summarized"}}
    if reasoning.effort == "none":
        return Reasoning("off", extras=extras)
    return Reasoning("adaptive" if reasoning.effort else None, None, reasoning.effort, extras)


def _extras(item: BaseModel, *names: str) -> Extras:
    found = item.model_dump(include=set(names), exclude_none=True)
    return {_DIALECT: found} if found else {}
