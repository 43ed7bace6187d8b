"""From a messages request to the neutral conversation."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.anthropic_messages import carriers
from callmissed_ai.dialects.anthropic_messages.request import GATEWAY_FIELDS
from callmissed_ai.dialects.anthropic_messages.typed_request import (
    Base64Source,
    Block,
    DocumentBlock,
    ImageBlock,
    RedactedThinkingBlock,
    ResultBlock,
    TextBlock,
    ThinkingBlock,
    ThinkingConfig,
    ToolResultBlock,
    ToolUseBlock,
    TypedMessage,
    TypedMessagesRequest,
    TypedTool,
    TypedToolChoice,
    UrlSource,
)
from callmissed_ai.dialects.conversation import (
    Conversation,
    Document,
    Extras,
    Image,
    OutputFormat,
    Part,
    Reasoning,
    RedactedThinking,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

_CHOICES: Mapping[str, Any] = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}
_MODES: Mapping[str, Any] = {"enabled": "on", "adaptive": "adaptive", "disabled": "off"}


def read_request(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a valid request `body`. Raises ApiError 400 for a field that no other dialect can have."""
    try:
        typed = TypedMessagesRequest.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from None
    effort = typed.output_config.effort if typed.output_config else None
    choice = typed.tool_choice
    return Conversation(
        turns=tuple(_turns(typed)),
        tools=tuple(map(_tool, typed.tools or ())),
        tool_choice=_choice(choice) if choice else None,
        parallel_tool_calls=False if choice and choice.disable_parallel_tool_use else None,
        output_limit=typed.max_tokens,
        output_format=_output_format(typed),
        reasoning=_reasoning(typed.thinking, effort),
        temperature=typed.temperature,
        top_p=typed.top_p,
        top_k=typed.top_k,
        stop=tuple(typed.stop_sequences or ()),
        user=typed.metadata.user_id if typed.metadata else None,
        streamed=bool(typed.stream),
        continues=typed.messages[-1].role == "assistant",
    )


def invalid(error: ValidationError) -> ApiError:
    """400 for the field that is wrong. Of the members of a union, the one that fits most says where."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first = max(errors, key=lambda each: len(each["loc"]))
    path = ".".join(str(part) for part in first["loc"] if not _is_tag(part))
    if first["type"].startswith("union_tag"):
        path += ".type"
    ours = first["loc"][0] in GATEWAY_FIELDS  # no provider's API has anything to do with it
    if first["type"] in ("extra_forbidden", "union_tag_invalid", "literal_error") and not ours:
        message = f"'{path}' can't be used with this model: its provider's API has no such thing."
        return invalid_request(message, path, "unsupported_field")
    return invalid_request(f"Invalid '{path}': {first['msg']}.", path)


_TAGS = frozenset({"str", "text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"})


def _is_tag(part: int | str) -> bool:
    """Whether Pydantic put `part` into a path to say which member of a union it tried."""
    return isinstance(part, str) and (part in _TAGS or "[" in part)


def _turns(typed: TypedMessagesRequest) -> Iterator[Turn]:
    if typed.system:
        yield Turn("system", tuple(_parts(typed.system, "system")), param="system")
    for index, message in enumerate(typed.messages):
        yield _turn(message, f"messages.{index}")


def _turn(message: TypedMessage, param: str) -> Turn:
    return Turn(message.role, tuple(carriers.unpacked(_parts(message.content, f"{param}.content"))), param=param)


def _parts(content: str | list[Block] | list[TextBlock], param: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content)
        return
    for index, block in enumerate(content):
        yield _part(block, f"{param}.{index}")


def _part(block: Block, param: str) -> Part:
    match block:
        case ToolUseBlock():
            return ToolCall(block.id, block.name, _json(block.input), _extras(block, "cache_control", "caller"))
        case ToolResultBlock():
            return _result(block, param)
        case ThinkingBlock():
            return Thinking(block.thinking, block.signature)
        case RedactedThinkingBlock():
            return RedactedThinking(block.data)
        case _:
            return _shown(block, param)


def _shown(block: ResultBlock, param: str) -> Text | Image | Document:
    match block:
        case TextBlock():
            return Text(block.text, _extras(block, "cache_control", "citations"))
        case ImageBlock():
            return Image(**_source(block.source), extras=_extras(block, "cache_control"), param=param)
        case DocumentBlock():
            extras = _extras(block, "cache_control", "context", "citations")
            if isinstance(block.source, Base64Source | UrlSource):
                return Document(**_source(block.source), title=block.title, extras=extras, param=param)
            text, kind = block.source.data, "text/plain"
            return Document(text=text, media_type=kind, title=block.title, extras=extras, param=param)


def _source(source: Base64Source | UrlSource) -> dict[str, str]:
    if isinstance(source, UrlSource):
        return {"url": source.url}
    return {"data": source.data, "media_type": source.media_type}


def _result(block: ToolResultBlock, param: str) -> ToolResult:
    content = block.content or ""
    if isinstance(content, str):
        parts: tuple[Text | Image | Document, ...] = (Text(content),)
    else:
        parts = tuple(_shown(each, f"{param}.content.{index}") for index, each in enumerate(content))
    return ToolResult(block.tool_use_id, parts, bool(block.is_error), _extras(block, "cache_control"))


def _tool(tool: TypedTool) -> Tool:
    extras = _extras(tool, "cache_control", "eager_input_streaming", "input_examples")
    return Tool(tool.name, tool.description, tool.input_schema, tool.strict, extras)


def _choice(choice: TypedToolChoice) -> ToolChoice:
    return ToolChoice(_CHOICES[choice.type], choice.name or "")


def _output_format(typed: TypedMessagesRequest) -> OutputFormat | None:
    given = typed.output_config.format if typed.output_config else None
    return OutputFormat(given.json_schema, strict=True) if given else None


def _reasoning(thinking: ThinkingConfig | None, effort: str | None) -> Reasoning:
    if thinking is None:
        return Reasoning(effort=effort)
    extras = _extras(thinking, "display")
    return Reasoning(_MODES[thinking.type], thinking.budget_tokens, effort, extras)


def _extras(block: BaseModel, *names: str) -> Extras:
    found = {name: value for name in names if (value := getattr(block, name)) is not None}
    if not found:
        return {}
    return {"anthropic_messages": block.model_dump(include=set(found), exclude_none=True)}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
