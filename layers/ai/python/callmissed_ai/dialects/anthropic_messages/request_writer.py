"""From the neutral conversation to a messages request."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from callmissed_ai.dialects.ids import restricted_id
from callmissed_ai.dialects.reasoning.open_turn import foreign_thought, start_of_open_turn
from callmissed_ai.dialects.tool_arguments import arguments_object

_DIALECT = "anthropic_messages"
_TOOL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_CHOICES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_INLINE = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


def write_request(conversation: Conversation) -> dict[str, Any]:
    """The request's body, without model and output limit. Raises ApiError 400 for what messages can't hold."""
    if conversation.output_format and conversation.output_format.schema is None:
        raise unsupported("response_format")
    body: dict[str, Any] = {"messages": list(_messages(conversation.turns)), **_options(conversation)}
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
    if thinking := _thinking(conversation.reasoning):
        body["thinking"] = thinking
    return body


def unsupported(param: str) -> ApiError:
    """400 for what the provider's API does not have."""
    message = f"'{param}' can't be used with this model: its provider's API has no such thing."
    return invalid_request(message, param, "unsupported_field")


def _options(conversation: Conversation) -> dict[str, Any]:
    options: dict[str, Any] = {
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
        "stop_sequences": list(conversation.stop) or None,
        "metadata": {"user_id": conversation.user} if conversation.user else None,
        "stream": conversation.streamed or None,
    }
    if conversation.temperature is not None and conversation.temperature > 1:
        raise invalid_request("Invalid 'temperature': this model's provider allows 0 to 1.", "temperature")
    return {name: value for name, value in options.items() if value is not None}


def _system(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    """The instructions of all turns; this dialect has them at the top."""
    for turn in turns:
        if turn.role == "system":
            yield from _content(turn)


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    """The turns of user and assistant in alternation: what follows with the same role is one message."""
    merged: list[_Message] = []
    open_since = start_of_open_turn(turns)
    for number, turn in enumerate(turns):
        if turn.role == "system":
            continue
        if number >= open_since:
            _check_thoughts(turn)
        content = list(_content(turn))
        if not content:
            raise invalid_request(f"Invalid '{turn.param}': the message has no text.", turn.param)
        if merged and merged[-1].role == turn.role:
            merged[-1].content += content
        else:
            merged.append(_Message(turn.role, content))
    for message in merged:
        yield {"role": message.role, "content": _results_first(message.content)}


def _check_thoughts(turn: Turn) -> None:
    """Check that an unfinished turn can be continued here. Raises ApiError 400 for a thought signed elsewhere."""
    for index, part in enumerate(turn.parts):
        signed = isinstance(part, RedactedThinking) or (isinstance(part, Thinking) and part.signature)
        if signed and _is_foreign(part.extras):
            raise foreign_thought(f"{turn.param}.content.{index}")


@dataclass(slots=True)
class _Message:
    role: str
    content: list[dict[str, Any]]


def _results_first(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results of tools before everything else, as Anthropic demands, in the order in which they were sent."""
    return sorted(content, key=lambda block: block["type"] != "tool_result")


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
            yield {"type": "image", "source": _image_source(part, param), **_own(part.extras)}
        case Document():
            yield {"type": "document", "source": _document_source(part), **_title(part), **_own(part.extras)}
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
                "input": _input(part, param),
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


def _image_source(image: Image, param: str) -> dict[str, Any]:
    if not image.url:
        return {"type": "base64", "media_type": image.media_type, "data": image.data}
    if inline := _INLINE.fullmatch(image.url):
        return {"type": "base64", "media_type": inline[1], "data": inline[2]}
    if not image.url.startswith("https://"):
        raise invalid_request(f"Invalid '{param}': an image must be a data URL in base64, or at an https URL.", param)
    return {"type": "url", "url": image.url}


def _document_source(document: Document) -> dict[str, Any]:
    if document.text:
        return {"type": "text", "media_type": "text/plain", "data": document.text}
    if document.url:
        return {"type": "url", "url": document.url}
    return {"type": "base64", "media_type": document.media_type, "data": document.data}


def _title(document: Document) -> dict[str, Any]:
    return {"title": document.title} if document.title else {}


def _input(call: ToolCall, param: str) -> dict[str, Any]:
    found = arguments_object(call.arguments)
    if found is None:
        raise invalid_request(f"Invalid '{param}': the arguments of the call are no JSON object.", param)
    return found


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
    schema: Mapping[str, Any] = {"type": "object"} if tool.parameters is None else tool.parameters
    return {"name": tool.name, "input_schema": schema, **given, **_own(tool.extras)}


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
    return {"type": "json_schema", "schema": wanted.schema}


def _thinking(reasoning: Reasoning) -> dict[str, Any] | None:
    own = _own(reasoning.extras)
    if reasoning.mode == "off" or (reasoning.mode is None and reasoning.effort == "none"):
        return {"type": "disabled"}
    if reasoning.mode == "adaptive":
        return {"type": "adaptive", **own}
    if reasoning.budget:
        return {"type": "enabled", "budget_tokens": reasoning.budget, **own}
    return None


def _own(extras: Extras) -> Mapping[str, Any]:
    return extras.get(_DIALECT, {})
