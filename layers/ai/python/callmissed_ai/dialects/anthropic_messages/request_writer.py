"""From the neutral conversation to a messages request."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.anthropic_messages.rules.media import document_source, image_source
from callmissed_ai.dialects.anthropic_messages.rules.schemas import supported_schema
from callmissed_ai.dialects.anthropic_messages.rules.thinking import sampling_of, thinking_of
from callmissed_ai.dialects.anthropic_messages.rules.turns import MessageBlocks, messages_of
from callmissed_ai.dialects.conversation import (
    Conversation,
    Document,
    Extras,
    Image,
    OutputFormat,
    Part,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    place_of,
)
from callmissed_ai.dialects.ids import restricted_id
from callmissed_ai.dialects.reasoning.open_turn import foreign_thought, start_of_open_turn
from callmissed_ai.dialects.tool_arguments import input_of
from callmissed_ai.dialects.tools import checked_tools

_DIALECT = "anthropic_messages"
_TOOL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_CHOICES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_USER_ID = re.compile(r"(?=.*[A-Za-z_])[A-Za-z0-9_-]{1,256}")
"""What is no phone number and no e-mail address, which Anthropic refuses."""


def write_request(conversation: Conversation) -> dict[str, Any]:
    """The request's body, without model and output limit. Raises ApiError 400 for what messages can't hold."""
    if conversation.output_format and conversation.output_format.schema is None:
        raise unsupported("response_format")
    conversation = checked_tools(conversation)
    _check_thoughts(conversation.turns)
    messages = list(messages_of(map(_message, conversation.turns)))
    thinking = thinking_of(conversation, messages)
    body: dict[str, Any] = {
        "messages": messages,
        **_options(conversation),
        **sampling_of(conversation, thinking),
    }
    if system := list(_system(conversation.turns)):
        body["system"] = system
    if not body["messages"]:
        raise invalid_request("Invalid 'messages': there must be a message of the user.", "messages")
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
        if choice := _choice(conversation):
            body["tool_choice"] = choice
    if output := _output(conversation):
        body["output_config"] = output
    if thinking:
        body["thinking"] = thinking
    return body


def unsupported(param: str) -> ApiError:
    """400 for what the provider's API does not have."""
    message = f"'{param}' can't be used with this model: its provider's API has no such thing."
    return invalid_request(message, param, "unsupported_field")


def _options(conversation: Conversation) -> dict[str, Any]:
    if any(not text.strip() for text in conversation.stop):
        raise invalid_request("Invalid 'stop': this model's provider takes no text that is only white space.", "stop")
    options: dict[str, Any] = {
        "stop_sequences": list(conversation.stop) or None,
        "metadata": {"user_id": restricted_id(conversation.user, _USER_ID, "user_")} if conversation.user else None,
        "stream": conversation.streamed or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _system(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    """The instructions of all turns; this dialect has them at the top."""
    for turn in turns:
        if turn.role == "system":
            yield from _content(turn)


def _message(turn: Turn) -> MessageBlocks:
    return MessageBlocks(turn.role, [] if turn.role == "system" else list(_content(turn)), turn.param)


def _check_thoughts(turns: Sequence[Turn]) -> None:
    """Check that the unfinished turn can be continued here. Raises ApiError 400 for a thought signed elsewhere."""
    for turn in turns[start_of_open_turn(turns) :]:
        for index, part in enumerate(turn.parts):
            signed = isinstance(part, RedactedThinking) or (isinstance(part, Thinking) and part.signature)
            if signed and _is_foreign(part.extras):
                raise foreign_thought(f"{turn.param}.content.{index}")


def _content(turn: Turn) -> Iterator[dict[str, Any]]:
    """The blocks of a turn, without texts that are blank, which Anthropic refuses."""
    for index, part in enumerate(turn.parts):
        if not (isinstance(part, Text | Refusal) and not part.text.strip()):
            yield from _blocks(part, f"{turn.param}.content.{index}")


def _blocks(part: Part, param: str) -> Iterator[dict[str, Any]]:
    match part:
        case Text() | Refusal():
            yield {"type": "text", "text": part.text, **_own(part.extras)}
        case Image():
            yield {"type": "image", "source": image_source(part, place_of(part, param)), **_own(part.extras)}
        case Document():
            yield {"type": "document", "source": document_source(part), **_title(part), **_own(part.extras)}
        case Thinking():
            yield from _thought(part)
        case RedactedThinking():
            if not _is_foreign(part.extras):
                yield {"type": "redacted_thinking", "data": part.data}
        case ToolCall():
            yield {
                "type": "tool_use",
                "id": tool_id(part.id),
                "name": part.name,
                "input": input_of(part.arguments),
                **_own(part.extras),
            }
        case ToolResult():
            yield _result(part, param)


def _thought(part: Thinking) -> Iterator[dict[str, Any]]:
    """Signed thoughts of Anthropic's models; those of others are left out, as such models can't continue them."""
    if part.signature and not _is_foreign(part.extras):
        yield {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _is_foreign(extras: Extras) -> bool:
    return any(dialect != _DIALECT for dialect in extras)


def _title(document: Document) -> dict[str, Any]:
    return {"title": document.title} if document.title else {}


def _result(result: ToolResult, param: str) -> dict[str, Any]:
    inner = [
        block
        for number, part in enumerate(result.parts)
        if not (isinstance(part, Text) and not part.text.strip())
        for block in _blocks(part, f"{param}.content.{number}")
    ]
    failed = {"is_error": True} if result.is_error else {}
    content = {"content": inner} if inner else {}
    return {
        "type": "tool_result",
        "tool_use_id": tool_id(result.call_id),
        **content,
        **failed,
        **_own(result.extras),
    }


def tool_id(call_id: str) -> str:
    """`call_id` in the alphabet that Anthropic accepts."""
    return restricted_id(call_id, _TOOL_ID, "toolu_")


def _tool(tool: Tool) -> dict[str, Any]:
    fields = {"description": tool.description, "strict": tool.strict}
    given = {name: value for name, value in fields.items() if value is not None}
    return {
        "name": tool.name,
        "input_schema": {**(tool.parameters or {}), "type": "object"},
        **given,
        **_own(tool.extras),
    }


def _choice(conversation: Conversation) -> dict[str, Any] | None:
    choice = conversation.tool_choice
    if choice is None and conversation.parallel_tool_calls is not False:
        return None
    body: dict[str, Any] = {"type": _CHOICES[choice.mode] if choice else "auto"}
    if choice and choice.mode == "named":
        body["name"] = choice.name
    if conversation.parallel_tool_calls is False and body["type"] != "none":
        body["disable_parallel_tool_use"] = True
    return body


def _output(conversation: Conversation) -> dict[str, Any]:
    output: dict[str, Any] = {}
    effort = conversation.reasoning.effort
    if effort and effort != "none":
        output["effort"] = _EFFORTS.get(effort, effort)
    if conversation.output_format:
        output["format"] = _format(conversation.output_format)
    return output


def _format(wanted: OutputFormat) -> dict[str, Any]:
    return {"type": "json_schema", "schema": supported_schema(wanted.schema or {})}


def _own(extras: Extras) -> Mapping[str, Any]:
    return extras.get(_DIALECT, {})
