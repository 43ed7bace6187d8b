"""Reasoning in chat messages: in one of two fields, and in `reasoning_details` with what its provider demands back."""

from collections.abc import Iterable, Mapping
from typing import Any

from callmissed_ai.dialects.conversation import RedactedThinking, Thinking

NAMES = ("reasoning_content", "reasoning")
"""Fields with the text of reasoning."""

CLAUDE_FORMAT = "anthropic-claude-v1"
"""`format` of details that Claude thought and signed."""

SANDBOX_FORMAT = "callmissed-sandbox-v1"
"""`format` of details that the sandbox thought and signed."""

SANDBOX_DETAIL: Mapping[str, Any] = {"type": "reasoning.text", "format": SANDBOX_FORMAT, "index": 0}
"""What all details of the sandbox have alike."""

STATED_BY_TYPE: Mapping[Any, str] = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""Field with the text of a detail, by its type. Details of other types have `data` that only their provider reads."""

VARYING_FIELDS = frozenset({"text", "summary", "data", "signature"})
"""Fields of a detail that are not the same in all chunks that bring it."""


def is_claude(detail: Mapping[str, Any]) -> bool:
    """Whether Claude had the thought. Clients that add up a stream's chunks may have its format several times."""
    return str(detail.get("format") or "").startswith(CLAUDE_FORMAT)


def merged(details: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`details` with the pieces of a thought as one, for clients that keep a stream's pieces as they came."""
    found: list[dict[str, Any]] = []
    for detail in details:
        last = found[-1] if found else {}
        continues = detail.get("index") is not None and all(detail.get(name) == last.get(name) for name in _KEY)
        if not continues or last.get("signature"):
            found.append(dict(detail))
            continue
        for name, value in detail.items():
            grows = name in _GROWING and isinstance(value, str) and isinstance(last.get(name), str)
            last[name] = last[name] + value if grows else last.get(name) or value
    return found


_KEY = ("type", "index")
_GROWING = frozenset({"text", "summary"})


def fields_of(part: Thinking | RedactedThinking) -> dict[str, Any]:
    """The fields of a message that `part` was read from; none for another provider's thoughts."""
    own = part.extras.get("openai_chat", {})
    details: Any = own.get("reasoning_details")
    if isinstance(details, dict):
        return {"reasoning_details": [_detail(part, {**details})]}
    text = part.text if isinstance(part, Thinking) else ""
    return {name: text for name in NAMES if own.get(name)}


def _detail(part: Thinking | RedactedThinking, constant: dict[str, Any]) -> dict[str, Any]:
    if isinstance(part, RedactedThinking):
        return constant | {"data": part.data}
    signed = {"signature": part.signature} if part.signature else {}
    return constant | {STATED_BY_TYPE.get(constant.get("type"), "text"): part.text, **signed}
