"""Adapting a chat request to what its provider documents to be different from OpenAI's API (docs/providers.md).

Each quirk is a name in the provider's row and one function here, which returns the request that the provider accepts
and that means the same. What has no such form is left alone, and the provider's 400 reaches the caller. The quirk
`inline_images` needs the network: see `callmissed_ai.transports.media`. `no_token_inputs` is about embeddings.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from callmissed.catalog.model import Quirk
from callmissed_ai.dialects.ids import restricted_id

_USER_FIELDS = frozenset({"metadata", "prompt_cache_key", "safety_identifier", "store", "user"})
"""Fields about the caller, none of which changes the reply."""

_REASONING_CONTENT = frozenset({"reasoning_content", "reasoning_details"})
_REASONING = _REASONING_CONTENT | {"reasoning"}
_NO_REASONING = " "
"""Stands for reasoning that another model had: Moonshot takes an empty text for a missing one."""

_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
_SHORT_ID_LENGTH = 9

_Body = Mapping[str, Any]


def adapted(body: _Body, quirks: Collection[Quirk]) -> _Body:
    """`body` as a provider with these `quirks` takes it."""
    for quirk in quirks:
        body = ADAPTATIONS[quirk](body)
    return body


def _any_for_required(body: _Body) -> _Body:
    return {**body, "tool_choice": "any"} if body.get("tool_choice") == "required" else body


def _without(fields: _Body, names: Collection[str]) -> _Body:
    if fields.keys().isdisjoint(names):
        return fields
    return {name: value for name, value in fields.items() if name not in names}


def _renamed(body: _Body, name: str, new_name: str) -> _Body:
    if body.get(name) is None:
        return body
    return {new_name: body[name], **_without(body, {name})}


def _as_system(message: _Body) -> _Body:
    return {**message, "role": "system"} if message["role"] == "developer" else message


def _with_reasoning(message: _Body) -> _Body:
    """An assistant's message with calls has reasoning, which the provider demands while the model thinks."""
    if not message.get("tool_calls") or message.get("reasoning_content"):
        return message
    reasoning = message.get("reasoning")
    return {**message, "reasoning_content": reasoning if isinstance(reasoning, str) and reasoning else _NO_REASONING}


def _with_short_ids(message: _Body) -> _Body:
    changed = dict(message)
    if call_id := message.get("tool_call_id"):
        changed["tool_call_id"] = _short_id(call_id)
    if calls := cast("list[dict[str, Any]] | None", message.get("tool_calls")):
        changed["tool_calls"] = [
            {**call, "id": _short_id(call["id"])} if isinstance(call.get("id"), str) else call for call in calls
        ]
    return changed


def _short_id(call_id: str) -> str:
    return restricted_id(call_id, _SHORT_ID, "")[:_SHORT_ID_LENGTH]


def _with_text_as_string(message: _Body) -> _Body:
    """A content that is nothing but text in one string."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = cast("list[dict[str, Any]]", content)
    if any(part.get("type") != "text" or not isinstance(part.get("text"), str) for part in parts):
        return message
    return {**message, "content": "\n".join(part["text"] for part in parts)}


def _in_messages(change: Callable[[_Body], _Body]) -> Callable[[_Body], _Body]:
    return lambda body: {**body, "messages": [change(message) for message in body["messages"]]}


ADAPTATIONS: Mapping[Quirk, Callable[[_Body], _Body]] = {
    "any_for_required": _any_for_required,
    "inline_images": lambda body: body,
    "no_developer_role": _in_messages(_as_system),
    "no_past_reasoning": _in_messages(lambda message: _without(message, _REASONING)),
    "no_reasoning_content": _in_messages(lambda message: _without(message, _REASONING_CONTENT)),
    "no_stream_options": lambda body: _without(body, {"stream_options"}),
    "no_token_inputs": lambda body: body,
    "no_user_fields": lambda body: _without(body, _USER_FIELDS),
    "random_seed": lambda body: _renamed(body, "seed", "random_seed"),
    "reasoning_with_calls": _in_messages(_with_reasoning),
    "short_call_ids": _in_messages(_with_short_ids),
    "text_as_string": _in_messages(_with_text_as_string),
}
"""What each quirk makes of a request; a test holds that each has its function."""
