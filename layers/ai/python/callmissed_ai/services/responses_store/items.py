"""Items of a conversation as the API lists them: each with an id, its type and its content as a list."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from callmissed_ai.services.responses_store.records import JsonObject, json_text

_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
_WITH_STATUS = frozenset({"message", "function_call", "function_call_output"})


def own_items(given: object) -> list[JsonObject]:
    """The items in the `input` of a request; none where one is no object, as validation refuses that."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    items = cast("list[Any]", given) if isinstance(given, list) else []
    return cast("list[JsonObject]", items) if all(isinstance(item, dict) for item in items) else []


def listed_items(items: Sequence[JsonObject]) -> list[JsonObject]:
    """`items` of a conversation, from its beginning, as they are listed."""
    return [_listed(item, position) for position, item in enumerate(items)]


def listed_id(item: JsonObject, position: int) -> str:
    """The item's own id, or one made of what it says and where, which stays the same however often it is listed."""
    own = item.get("id")
    if isinstance(own, str) and own:
        return own
    digest = hashlib.sha256(json_text([position, item])).hexdigest()
    return f"{_PREFIXES.get(_type(item), 'item')}_{digest[:24]}"


def _listed(item: JsonObject, position: int) -> JsonObject:
    kind = _type(item)
    listed: dict[str, Any] = {**item, "id": listed_id(item, position), "type": kind}
    if kind in _WITH_STATUS:
        listed["status"] = item.get("status") or "completed"
    if kind == "message":
        listed["content"] = _content(item)
    return listed


def _type(item: JsonObject) -> str:
    """The item's type; messages may leave it out."""
    return item.get("type") or "message"


def _content(message: JsonObject) -> Any:
    content = message.get("content")
    if message.get("role") == "assistant":
        parts: Any = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        return [_annotated(part) for part in parts]
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def _annotated(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"annotations": [], **part} if part.get("type") == "output_text" else part
