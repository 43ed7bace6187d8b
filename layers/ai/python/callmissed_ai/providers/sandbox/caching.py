"""What a provider's cache would have read and written, found from the request alone, as the sandbox remembers nothing.

The prompt is cached up to its last cache mark. Of that, what came before the last reply was sent in an earlier call, so
it is read; the rest is new, so it is written.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from callmissed_ai.dialects.openai_chat.reply import objects
from callmissed_ai.providers.sandbox import tokens

_MARK = "cache_control"
_TOOLS = -1


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Tokens of the prompt that were read from a cache, and those that were written to one."""

    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """A text of the prompt, and the number of its message."""

    message: int
    text: str
    marked: bool


def cache_use(body: Mapping[str, Any], prompt_tokens: int, *, again: bool) -> CacheUse:
    """The use of a cache by a prompt; `again` says that the same prompt was sent before."""
    pieces = list(_pieces(body))
    last = max((number for number, piece in enumerate(pieces) if piece.marked), default=None)
    if last is None:
        return CacheUse(read=max(0, prompt_tokens - 1)) if again else CacheUse()
    prefix = pieces[: last + 1]
    cached = min(_count(prefix), prompt_tokens)
    if again:
        return CacheUse(read=cached)
    read = min(_count([piece for piece in prefix if piece.message < _last_reply(body)]), cached)
    return CacheUse(read, cached - read)


def without_mark(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A valid tool without its cache mark, which is no part of the prompt."""
    function = {name: value for name, value in tool["function"].items() if name != _MARK}
    return {name: value for name, value in tool.items() if name != _MARK} | {"function": function}


def _count(pieces: list[_Piece]) -> int:
    return tokens.estimate(piece.text for piece in pieces)


def _last_reply(body: Mapping[str, Any]) -> int:
    """Number of the last message of the assistant; that of the tools where there is none."""
    roles = [message.get("role") for message in body["messages"]]
    return max((number for number, role in enumerate(roles) if role == "assistant"), default=_TOOLS)


def _pieces(body: Mapping[str, Any]) -> Iterator[_Piece]:
    """The texts of a valid request in the order in which Anthropic caches them."""
    for tool in objects(body.get("tools")):
        text = json.dumps(without_mark(tool), ensure_ascii=False)
        yield _Piece(_TOOLS, text, _is_marked(tool) or _is_marked(tool["function"]))
    for number, message in enumerate(body["messages"]):
        content = message.get("content")
        if isinstance(content, str):
            yield _Piece(number, content, marked=False)
        for part in objects(content):
            yield _Piece(number, str(part.get("text") or ""), _is_marked(part))
        for call in objects(message.get("tool_calls")):
            function = cast("dict[str, Any]", call["function"])
            yield _Piece(number, f"{function['name']}{function['arguments']}", _is_marked(call))
        yield _Piece(number, "", _is_marked(message))


def _is_marked(fields: Mapping[str, Any]) -> bool:
    return bool(fields.get(_MARK))
