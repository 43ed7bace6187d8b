"""From a chat completions request to the neutral conversation."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from pydantic import ValidationError

from callmissed.errors import invalid_request
from callmissed_ai.dialects.conversation import (
    Conversation,
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
)
from callmissed_ai.dialects.further_fields import chosen_by_type, further_fields, shape
from callmissed_ai.dialects.openai_chat.reasoning import NAMES, STATED_BY_TYPE, extras_of, merged
from callmissed_ai.dialects.openai_chat.reply import objects
from callmissed_ai.dialects.openai_chat.request import first_error
from callmissed_ai.dialects.openai_chat.typed_request import TypedChatRequest
from callmissed_ai.dialects.reasoning.interleaving import placed

_MARK = "cache_control"
_TEXT = shape("type", "text", free=(_MARK,))
_PART = chosen_by_type(
    text=_TEXT,
    refusal=shape("type", "refusal"),
    image_url=shape("type", free=(_MARK,), image_url=shape("url", "detail")),
)
_MESSAGE = shape(
    *("role", "name", "refusal", "tool_call_id", *NAMES),
    free=("reasoning_details", "annotations", "extra_content"),
    content=_PART,
    tool_calls=shape("id", "type", "index", free=("extra_content",), function=shape("name", "arguments")),
)
_TOOL = chosen_by_type(
    function=shape("type", free=(_MARK,), function=shape("name", "description", "strict", free=("parameters", _MARK)))
)
_TRANSLATED = shape(
    *("model", "route", "stream", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k"),
    *("user", "safety_identifier", "parallel_tool_calls", "reasoning_effort", "verbosity", "store", "prompt_cache_key"),
    free=("models", "provider", "stop", "metadata"),
    messages=_MESSAGE,
    tools=_TOOL,
    tool_choice=chosen_by_type(function=shape("type", function=shape("name"))),
    response_format=chosen_by_type(
        text=shape("type"),
        json_object=shape("type"),
        json_schema=shape("type", json_schema=shape("name", "description", "strict", free=("schema",))),
    ),
    reasoning=shape("effort", "max_tokens", "enabled", "exclude"),
    stream_options=shape("include_usage", "include_obfuscation"),
)
"""Everything that `read_request` carries, or may leave out because it says nothing about the reply."""

_SCHEMA = "response_format.json_schema"
_NEUTRAL: Mapping[str, object] = {"n": 1, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0}


def read_request(body: Mapping[str, Any]) -> Conversation:
    """The conversation in a valid request `body`. Raises ApiError 400 for a field that no other dialect can have."""
    try:
        typed = TypedChatRequest.model_validate(body)
    except ValidationError as error:
        raise first_error(error) from None
    asked = {name: value for name, value in body.items() if not (name in _NEUTRAL and value == _NEUTRAL[name])}
    for field in further_fields(asked, _TRANSLATED):
        message = f"'{field.param}' can't be used with this model: its provider's API has no such thing."
        raise invalid_request(message, field.param, "unsupported_field")
    return Conversation(
        turns=tuple(_turn(message, f"messages.{index}") for index, message in enumerate(body["messages"])),
        tools=tuple(map(_tool, body.get("tools") or ())),
        tool_choice=_choice(body.get("tool_choice")),
        parallel_tool_calls=typed.parallel_tool_calls,
        output_limit=typed.output_limit,
        output_format=_format(body.get("response_format") or {}),
        reasoning=_reasoning(body),
        temperature=typed.temperature,
        top_p=typed.top_p,
        top_k=typed.top_k,
        stop=tuple(typed.stops),
        user=typed.user or body.get("safety_identifier"),
        streamed=bool(typed.stream),
        verbosity=body.get("verbosity"),
        cache_key=body.get("prompt_cache_key"),
    )


def _turn(message: Mapping[str, Any], param: str) -> Turn:
    content = message.get("content")
    parts = list(_parts(content, param))
    match message["role"]:
        case "system" | "developer":
            return Turn("system", tuple(parts), param=param)
        case "tool":
            result = ToolResult(message["tool_call_id"], cast("tuple[Text, ...]", tuple(parts)))
            return Turn("user", (result,), param=param)
        case "assistant":
            said = [*parts, *_refusal(message)]
            return Turn("assistant", tuple(placed(list(_thoughts(message)), said, list(_calls(message)))), param=param)
        case _:
            return Turn("user", tuple(parts), param=param)


def _parts(content: str | list[dict[str, Any]] | None, param: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content)
        return
    for index, part in enumerate(content or ()):
        match part["type"]:
            case "image_url":
                url, detail = part["image_url"]["url"], part["image_url"].get("detail")
                yield Image(url=url, detail=detail, extras=_marks(part), param=f"{param}.content.{index}")
            case "refusal":
                yield Refusal(part["refusal"])
            case _:
                yield Text(part["text"], _marks(part))


def _thoughts(message: Mapping[str, Any]) -> Iterator[tuple[object, Part]]:
    """An earlier reply's reasoning: what Claude signed as it was, and that of others for their provider alone.

    Each comes with the id that may say where it stood.
    """
    details = merged(objects(message.get("reasoning_details")))
    for detail in details:
        own, kind = extras_of(detail), detail.get("type")
        text = detail.get(STATED_BY_TYPE.get(kind, "")) if isinstance(kind, str) else None
        if isinstance(text, str):
            signature = detail.get("signature")
            yield detail.get("id"), Thinking(text, signature if isinstance(signature, str) else None, own)
        else:
            yield detail.get("id"), RedactedThinking(str(detail.get("data") or ""), own)
    for name in NAMES if not details else ():
        if isinstance(text := message.get(name), str) and text:
            yield None, Thinking(text, extras={"openai_chat": {name: True}})
            return


def _refusal(message: Mapping[str, Any]) -> Iterator[Refusal]:
    if refusal := message.get("refusal"):
        yield Refusal(refusal)


def _calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    for call in message.get("tool_calls") or ():
        function, extra = call["function"], call.get("extra_content")
        extras: Extras = {"openai_chat": {"extra_content": extra}} if extra else {}
        yield ToolCall(call["id"], function["name"], function["arguments"], extras)


def _tool(tool: Mapping[str, Any]) -> Tool:
    function = tool["function"]
    return Tool(
        function["name"],
        function.get("description"),
        function.get("parameters"),
        function.get("strict"),
        _marks(tool) or _marks(function),
    )


def _choice(choice: Any) -> ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return ToolChoice(cast("Literal['auto', 'required', 'none']", choice))
    return ToolChoice("named", choice["function"]["name"])


def _format(wanted: Mapping[str, Any]) -> OutputFormat | None:
    match wanted.get("type"):
        case "json_object":
            return OutputFormat()
        case "json_schema":
            given = wanted.get("json_schema")
            if not given:
                raise invalid_request(f"Invalid '{_SCHEMA}': Field required.", _SCHEMA)
            return OutputFormat(given.get("schema") or {}, given["name"], given.get("description"), given.get("strict"))
        case _:
            return None


def _reasoning(body: Mapping[str, Any]) -> Reasoning:
    given: Mapping[str, Any] = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or given.get("effort")
    enabled = given.get("enabled")
    if enabled is False or effort == "none":
        return Reasoning("off")
    budget = given.get("max_tokens")
    if budget:
        return Reasoning("on", budget, effort)
    return Reasoning("adaptive" if enabled or effort else None, None, effort)


def _marks(part: Mapping[str, Any]) -> Extras:
    """A cache mark, which chat takes from Anthropic's dialect."""
    mark = part.get(_MARK)
    return {"anthropic_messages": {_MARK: mark}, "openai_chat": {_MARK: mark}} if mark else {}
