"""Names of tools in the alphabet and length that every dialect has.

Callers of one dialect may use names that another refuses: Anthropic takes 128 characters, OpenAI 64. The provider gets
another name for such a one, and the caller gets it back in the reply.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from callmissed_ai.dialects.conversation import Conversation, Part, ToolCall, Turn

_MAX_LENGTH = 64
_HASH_LENGTH = 8
_REFUSED = re.compile(r"[^A-Za-z0-9_-]")


def accepted_name(name: str) -> str:
    """`name` where every dialect takes it, else one that is still readable, and another for each name."""
    readable = _REFUSED.sub("_", name)
    if name and readable == name and len(name) <= _MAX_LENGTH:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_HASH_LENGTH]
    return f"{readable[: _MAX_LENGTH - 1 - _HASH_LENGTH]}_{digest}"


def with_accepted_names(conversation: Conversation) -> Conversation:
    """`conversation` with accepted names only."""
    choice = conversation.tool_choice
    return replace(
        conversation,
        tools=tuple(replace(tool, name=accepted_name(tool.name)) for tool in conversation.tools),
        tool_choice=replace(choice, name=accepted_name(choice.name)) if choice and choice.name else choice,
        turns=tuple(map(_turn, conversation.turns)),
    )


def given_names(body: Mapping[str, Any]) -> Mapping[str, str]:
    """The names that a request of any dialect gives its tools, by the accepted ones that are others."""
    return {accepted: name for name in _offered(body) if (accepted := accepted_name(name)) != name}


def with_given_name(part: Part, names: Mapping[str, str]) -> Part:
    """`part` with the name that the caller knows."""
    if names and isinstance(part, ToolCall) and part.name in names:
        return replace(part, name=names[part.name])
    return part


def _turn(turn: Turn) -> Turn:
    if not any(isinstance(part, ToolCall) for part in turn.parts):
        return turn
    return replace(turn, parts=tuple(_part(part) for part in turn.parts))


def _part(part: Part) -> Part:
    return replace(part, name=accepted_name(part.name)) if isinstance(part, ToolCall) else part


def _offered(body: Mapping[str, Any]) -> Iterator[str]:
    for tool in cast("list[dict[str, Any]]", body.get("tools") or ()):
        name = (tool.get("function") or tool).get("name")
        if isinstance(name, str):
            yield name
