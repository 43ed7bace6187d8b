"""From the neutral conversation to a chat completions request."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callmissed.errors import invalid_request
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
    ToolChoice,
    ToolResult,
    Turn,
    place_of,
)
from callmissed_ai.dialects.ids import restricted_id
from callmissed_ai.dialects.openai_chat.reasoning import fields_of
from callmissed_ai.dialects.reasoning.effort import effort_of
from callmissed_ai.dialects.reasoning.open_turn import (
    check_end,
    foreign_thought,
    is_demanded_back,
    start_of_open_turn,
)
from callmissed_ai.dialects.tools import checked_tools

_DIALECT = "openai_chat"
_TOOL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_USER = re.compile(r".{1,64}", re.DOTALL)
_ERROR_MARK = "Error: "
_SCHEMA_NAME = "reply"


def write_request(conversation: Conversation) -> dict[str, Any]:
    """The request's body, without model and output limit. Raises ApiError 400 for what a chat can't hold."""
    conversation = checked_tools(conversation)
    check_end(conversation)
    body: dict[str, Any] = {"messages": list(_messages(conversation.turns)), **_options(conversation)}
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
        body |= _choice(conversation.tool_choice, conversation.parallel_tool_calls)
    if conversation.output_format:
        body["response_format"] = _format(conversation.output_format)
    if effort := effort_of(conversation.reasoning, conversation.output_limit):
        body["reasoning_effort"] = effort
    return body


def _options(conversation: Conversation) -> dict[str, Any]:
    options: dict[str, Any] = {
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "top_k": conversation.top_k,
        "stop": list(conversation.stop) or None,
        "user": restricted_id(conversation.user, _USER, "user_") if conversation.user else None,
        "verbosity": conversation.verbosity,
        "stream": conversation.streamed or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    open_since = start_of_open_turn(turns)
    for number, turn in enumerate(turns):
        match turn.role:
            case "system":
                yield from _system_messages(turn)
            case "user":
                yield from _user_messages(turn)
            case "assistant":
                yield _assistant_message(turn, is_open=number >= open_since)


def _system_messages(turn: Turn) -> Iterator[dict[str, Any]]:
    """Instructions as one text where no part has marks of this dialect: many providers read nothing else."""
    said = [part for part in turn.parts if not (isinstance(part, Text) and not part.text.strip())]
    texts = [part.text for part in said if isinstance(part, Text) and not _own(part.extras)]
    if said:
        whole = "\n\n".join(texts) if len(texts) == len(said) else _content(said, turn.param)
        yield {"role": "system", "content": whole}


def _user_messages(turn: Turn) -> Iterator[dict[str, Any]]:
    """Results of tools as messages of their own; what they show beside text follows as the user's."""
    shown: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            answered = tool_id(part.call_id)
            yield {"role": "tool", "tool_call_id": answered, "content": _result_text(part), **_own(part.extras)}
            shown += [inner for inner in part.parts if not isinstance(inner, Text)]
        else:
            shown.append(part)
    if shown:
        yield {"role": "user", "content": _content(shown, turn.param)}


def _result_text(result: ToolResult) -> str:
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    return _ERROR_MARK + text if result.is_error else text


def _assistant_message(turn: Turn, *, is_open: bool) -> dict[str, Any]:
    texts = [part for part in turn.parts if isinstance(part, Text)]
    refusals = [part.text for part in turn.parts if isinstance(part, Refusal)]
    calls = [_call(part) for part in turn.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(part.text for part in texts) or None}
    if refusals:
        message["refusal"] = "".join(refusals)
    if calls:
        message["tool_calls"] = calls
    for index, part in enumerate(turn.parts):
        if isinstance(part, Thinking | RedactedThinking):
            _add_thinking(message, part, is_open=is_open, param=f"{turn.param}.content.{index}")
    if message["content"] is None and not calls and not refusals:
        message["content"] = ""
    return message


def _add_thinking(message: dict[str, Any], part: Thinking | RedactedThinking, *, is_open: bool, param: str) -> None:
    """Thoughts go back to the provider that had them; another needs those of finished turns no more."""
    own = fields_of(part)
    for name, value in own.items():
        message[name] = message[name] + value if name in message else value
    if not own and is_open and is_demanded_back(part):
        raise foreign_thought(param)


def tool_id(call_id: str) -> str:
    """`call_id` in the alphabet and length that every chat upstream accepts."""
    return restricted_id(call_id, _TOOL_ID, "call_")


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": tool_id(call.id), "type": "function", "function": function, **_own(call.extras)}


def _content(parts: Sequence[Part], param: str) -> str | list[dict[str, Any]]:
    """Text alone as a string, which every provider reads."""
    if len(parts) == 1 and isinstance(parts[0], Text) and not _own(parts[0].extras):
        return parts[0].text
    return [_part(part, place_of(part, f"{param}.content.{index}")) for index, part in enumerate(parts)]


def _part(part: Part, param: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text, **_own(part.extras)}
        case Image():
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}, **_own(part.extras)}
        case Document() if part.text:
            return {"type": "text", "text": _document_text(part, param)}
        case _:
            raise invalid_request(
                f"'{param}' can't be sent to this model: its provider's API has no such part.",
                param,
                "unsupported_field",
            )


def _document_text(document: Document, param: str) -> str:
    """A document's text after what is said of it. Raises ApiError 400 where it is to be cited."""
    own = document.extras.get("anthropic_messages", {})
    if own.get("citations", {}).get("enabled"):
        cited = f"{param}.citations"
        raise invalid_request(f"'{cited}' can't be used with this model: it cites nothing.", cited, "unsupported_field")
    return "\n\n".join(filter(None, [document.title, own.get("context"), document.text]))


def _tool(tool: Tool) -> dict[str, Any]:
    fields = {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    function = {"name": tool.name, **{name: value for name, value in fields.items() if value is not None}}
    return {"type": "function", "function": function, **_own(tool.extras)}


def _choice(choice: ToolChoice | None, parallel: bool | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if parallel is None else {"parallel_tool_calls": parallel}
    if choice:
        named = {"type": "function", "function": {"name": choice.name}}
        body["tool_choice"] = named if choice.mode == "named" else choice.mode
    return body


def _format(wanted: OutputFormat) -> dict[str, Any]:
    if wanted.schema is None:
        return {"type": "json_object"}
    fields = {"description": wanted.description, "strict": wanted.strict}
    given = {name: value for name, value in fields.items() if value is not None}
    return {
        "type": "json_schema",
        "json_schema": {"name": wanted.name or _SCHEMA_NAME, "schema": wanted.schema, **given},
    }


def _own(extras: Extras) -> Mapping[str, Any]:
    return extras.get(_DIALECT, {})
