"""OpenAI's rules between the fields of a request, which the sandbox enforces."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from callmissed_ai.dialects.openai_chat.typed_request import (
    AssistantMessage,
    Message,
    NamedChoice,
    ToolMessage,
    TypedChatRequest,
    text_of,
)
from callmissed_ai.providers.sandbox.rejection import Rejected, rejection_of


def parse_request(body: Mapping[str, Any]) -> TypedChatRequest:
    """The request in `body`. Raises Rejected for the first fault that OpenAI would refuse."""
    try:
        request = TypedChatRequest.model_validate(dict(body))
    except ValidationError as error:
        raise rejection_of(error) from None
    _check_options(request)
    _check_tool_choice(request)
    _check_tool_turns(request.messages)
    return request


def _check_options(request: TypedChatRequest) -> None:
    if request.stream_options and not request.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Rejected(message, "stream_options")
    if request.max_tokens and request.max_completion_tokens:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise Rejected(message, "max_tokens")
    if request.top_logprobs is not None and not request.logprobs:
        raise Rejected("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    _check_response_format(request)


def _check_response_format(request: TypedChatRequest) -> None:
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


def _check_tool_choice(request: TypedChatRequest) -> None:
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
