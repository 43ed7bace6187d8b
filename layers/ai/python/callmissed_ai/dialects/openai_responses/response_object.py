"""The `response` object around a reply's items: it repeats the settings of the caller's request."""

from collections.abc import Mapping
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.openai_responses.usage import write_usage
from callmissed_ai.tokens.usage import TokenUsage

_DEFAULTS: Mapping[str, object] = {
    "instructions": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Settings that are repeated as they were asked for, and what they are where nothing was asked."""

_PLAIN = {"format": {"type": "text"}, "verbosity": "medium"}
_UNSET_REASONING = {"effort": None, "summary": None}
_UNSET_FUNCTION = {"description": None, "parameters": None, "strict": None}


def begun_response(frame: ReplyFrame) -> dict[str, Any]:
    """The response before its first item."""
    asked = frame.request
    return {
        **{name: asked.get(name, default) for name, default in _DEFAULTS.items()},
        "id": "",
        "object": "response",
        "created_at": frame.created,
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "metadata": asked.get("metadata") or {},
        "output": [],
        "reasoning": {**_UNSET_REASONING, **(asked.get("reasoning") or {})},
        "text": {**_PLAIN, **(asked.get("text") or {})},
        "tools": [{**_UNSET_FUNCTION, **tool} for tool in asked.get("tools") or ()],
        "usage": None,
        **gateway_fields(frame),
    }


def gateway_fields(frame: ReplyFrame) -> dict[str, Any]:
    """What only the gateway knows of a response, also of one that its upstream wrote."""
    asked = frame.request
    return {
        "id": f"resp_{frame.reply_id}",
        "model": frame.model,
        "max_output_tokens": asked.get("max_output_tokens"),
        "previous_response_id": asked.get("previous_response_id"),
        "store": asked.get("store", True),
    }


def failed_response(begun: Mapping[str, Any], error: ApiError, usage: TokenUsage | None) -> dict[str, Any]:
    """The response `begun` as far as it came; none of its items is complete."""
    return {
        **begun,
        "status": "failed",
        "error": {"code": "server_error", "message": error.message},
        "output": [item | {"status": "incomplete"} if "status" in item else item for item in begun["output"]],
        "usage": write_usage(usage) if usage else None,
    }
