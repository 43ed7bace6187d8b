"""Reasoning in chat messages: in one of two fields, and in `reasoning_details` with what its provider demands back."""

from collections.abc import Mapping
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
