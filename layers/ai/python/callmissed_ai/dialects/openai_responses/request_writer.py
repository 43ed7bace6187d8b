"""From the neutral conversation to a responses request."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
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
    ToolChoice,
    ToolResult,
    Turn,
    place_of,
)
from callmissed_ai.dialects.ids import restricted_id
from callmissed_ai.dialects.openai_responses.request import ENCRYPTED_REASONING
from callmissed_ai.dialects.reasoning.effort import effort_of
from callmissed_ai.dialects.reasoning.open_turn import (
    check_end,
    foreign_thought,
    is_demanded_back,
    start_of_open_turn,
)
from callmissed_ai.dialects.tools import checked_tools

_DIALECT = "openai_responses"
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USER = re.compile(r".{1,64}", re.DOTALL)
_ERROR_MARK = "Error: "
_SCHEMA_NAME = "reply"
_TITLE = "document"


def write_request(conversation: Conversation) -> dict[str, Any]:
    """The request's body, without model and output limit. Raises ApiError 400 for what responses can't have.

    What the model thought is asked for in the form in which it can be sent back, because nothing is kept upstream.
    """
    conversation = checked_tools(conversation)
    check_end(conversation)
    turns, instructions = _without_instructions(conversation.turns)
    body: dict[str, Any] = {
        "input": list(_items(turns)),
        "include": [ENCRYPTED_REASONING],
        **({"instructions": instructions} if instructions is not None else {}),
        **_options(conversation),
    }
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
        body |= _choice(conversation.tool_choice, conversation.parallel_tool_calls)
    if text := _text(conversation):
        body["text"] = text
    if reasoning := _reasoning(conversation.reasoning, conversation.output_limit):
        body["reasoning"] = reasoning
    return body


def _without_instructions(turns: Sequence[Turn]) -> tuple[Sequence[Turn], str | None]:
    first = turns[0].parts[0] if turns and turns[0].parts else None
    if isinstance(first, Text) and _own(first.extras).get("instructions"):
        return turns[1:], first.text
    return turns, None


def _options(conversation: Conversation) -> dict[str, Any]:
    for name, value in (("stop", conversation.stop), ("top_k", conversation.top_k)):
        if value:
            raise _unsupported(name)
    options: dict[str, Any] = {
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "user": restricted_id(conversation.user, _USER, "user_") if conversation.user else None,
        "prompt_cache_key": conversation.cache_key,
        "stream": conversation.streamed or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _unsupported(param: str) -> ApiError:
    message = f"'{param}' can't be used with this model: its provider's API has no such thing."
    return invalid_request(message, param, "unsupported_field")


def _items(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    open_since = start_of_open_turn(turns)
    for number, turn in enumerate(turns):
        for index, group in _groups(turn.parts):
            param = f"{turn.param}.content.{index}"
            match group[0]:
                case ToolCall() as call:
                    yield _call(call)
                case ToolResult() as result:
                    yield _result(result, param)
                case Thinking() | RedactedThinking():
                    yield from _reasoning_item(group, is_open=number >= open_since, param=param)
                case _:
                    yield _message(turn, group, index)


def _groups(parts: Sequence[Part]) -> Iterator[tuple[int, list[Part]]]:
    """The parts of each item, with the number of the first."""
    group: list[Part] = []
    for index, part in enumerate(parts):
        if group and not _continues(group[-1], part):
            yield index - len(group), group
            group = []
        group.append(part)
    if group:
        yield len(parts) - len(group), group


def _continues(before: Part, part: Part) -> bool:
    """Whether two parts belong to one item: to a message, or to one piece of reasoning."""
    shown = (Text, Refusal, Image, Document)
    if isinstance(part, shown):
        return isinstance(before, shown) and _own(before.extras).get("message") == _own(part.extras).get("message")
    return isinstance(part, Thinking) and isinstance(before, Thinking) and bool(_own(part.extras).get("part"))


def _message(turn: Turn, parts: Sequence[Part], index: int) -> dict[str, Any]:
    """A message. Text alone is a string, which every provider reads."""
    own = {"type": "message", "role": turn.role, **_own(parts[0].extras).get("message", {})}
    if len(parts) == 1 and isinstance(parts[0], Text) and turn.role != "assistant":
        return own | {"content": parts[0].text}
    written = turn.role == "assistant"
    content = [_content(part, f"{turn.param}.content.{index + n}", written=written) for n, part in enumerate(parts)]
    return own | {"content": content}


def _content(part: Part, param: str, *, written: bool = False) -> dict[str, Any]:
    param = place_of(part, param)
    match part:
        case Text():
            own = {name: value for name, value in _own(part.extras).items() if name in ("annotations", "logprobs")}
            return {"type": "output_text" if written else "input_text", "text": part.text, **own}
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Image() if not written:
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
        case Document() if not written:
            return {"type": "input_file", **_file(part)}
        case _:
            raise invalid_request(
                f"'{param}' can't be sent to this model: its provider's API has no such part.",
                param,
                "unsupported_field",
            )


def _file(document: Document) -> dict[str, Any]:
    if document.url:
        return {"file_url": document.url, **({"filename": document.title} if document.title else {})}
    data = base64.b64encode(document.text.encode()).decode() if document.text else document.data
    media_type = document.media_type or ("text/plain" if document.text else "application/pdf")
    return {"filename": document.title or _TITLE, "file_data": f"data:{media_type};base64,{data}"}


def call_id(given: str) -> str:
    """`given` in the length that every upstream of this dialect accepts."""
    return restricted_id(given, _CALL_ID, "call_")


def _call(call: ToolCall) -> dict[str, Any]:
    own = {"type": "function_call", "call_id": call_id(call.id), "name": call.name, "arguments": call.arguments}
    return {**own, **_own(call.extras)}


def _result(result: ToolResult, param: str) -> dict[str, Any]:
    """The result of a tool; one that failed says so in its text, as there is no field for it."""
    own = {"type": "function_call_output", "call_id": call_id(result.call_id), **_own(result.extras)}
    parts = (Text(_ERROR_MARK), *result.parts) if result.is_error else result.parts
    if all(isinstance(part, Text) for part in parts) and (len(parts) == 1 or result.is_error):
        return own | {"output": "".join(part.text for part in parts if isinstance(part, Text))}
    return own | {"output": [_content(part, f"{param}.output.{index}") for index, part in enumerate(parts)]}


def _reasoning_item(parts: Sequence[Part], *, is_open: bool, param: str) -> Iterator[dict[str, Any]]:
    """Thoughts go back to the provider that had them; another needs those of finished turns no more."""
    thoughts = [part for part in parts if isinstance(part, Thinking | RedactedThinking)]
    if _DIALECT not in thoughts[0].extras:
        if is_open and any(map(is_demanded_back, thoughts)):
            raise foreign_thought(param)
        return
    own = thoughts[0].extras[_DIALECT]
    item: dict[str, Any] = {"type": "reasoning", **({"id": own["id"]} if "id" in own else {}), "summary": []}
    for part in thoughts:
        if isinstance(part, RedactedThinking):
            item["encrypted_content"] = part.data
            continue
        kind = _own(part.extras).get("type", "summary_text")
        place = "content" if kind == "reasoning_text" else "summary"
        item.setdefault(place, []).append({"type": kind, "text": part.text})
        if part.signature:
            item["encrypted_content"] = part.signature
    if "encrypted_content" in item or "content" in item:
        yield item


def _tool(tool: Tool) -> dict[str, Any]:
    """A function. Those of other dialects are not strict unless they say so, as functions here are."""
    description = {"description": tool.description} if tool.description is not None else {}
    own = {"strict": None} if "strict" in _own(tool.extras) else {"strict": bool(tool.strict)}
    return {"type": "function", "name": tool.name, "parameters": tool.parameters, **description, **own}


def _choice(choice: ToolChoice | None, parallel: bool | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if parallel is None else {"parallel_tool_calls": parallel}
    if choice:
        body["tool_choice"] = {"type": "function", "name": choice.name} if choice.mode == "named" else choice.mode
    return body


def _text(conversation: Conversation) -> dict[str, Any]:
    text: dict[str, Any] = {"verbosity": conversation.verbosity} if conversation.verbosity else {}
    if conversation.output_format:
        text["format"] = _format(conversation.output_format)
    return text


def _format(wanted: OutputFormat) -> dict[str, Any]:
    if wanted.schema is None:
        return {"type": "json_object"}
    fields = {"description": wanted.description, "strict": wanted.strict}
    given = {name: value for name, value in fields.items() if value is not None}
    return {"type": "json_schema", "name": wanted.name or _SCHEMA_NAME, "schema": wanted.schema, **given}


def _reasoning(reasoning: Reasoning, output_limit: int | None) -> dict[str, Any]:
    """Effort, and a summary where the caller's dialect shows thoughts and asks for them."""
    effort = effort_of(reasoning, output_limit)
    body: dict[str, Any] = {"effort": effort} if effort else {}
    shown = reasoning.extras.get("anthropic_messages", {}).get("display") == "summarized"
    if reasoning.mode == "on" or shown:
        body["summary"] = "auto"
    return {**body, **_own(reasoning.extras)}


def _own(extras: Extras) -> Mapping[str, Any]:
    return extras.get(_DIALECT, {})
