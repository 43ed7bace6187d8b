"""Reasoning in chat messages: in one of two fields, and in `reasoning_details` with what its provider demands back."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from callmissed_ai.dialects.conversation import Extras, RedactedThinking, Thinking

NAMES = ("reasoning_content", "reasoning")
"""Fields with the text of reasoning."""

CLAUDE_FORMAT = "anthropic-claude-v1"
"""`format` of details that Claude thought and signed."""

SANDBOX_FORMAT = "callmissed-sandbox-v1"
"""`format` of details that the sandbox thought and signed."""

SANDBOX_DETAIL: Mapping[str, Any] = {"type": "reasoning.text", "format": SANDBOX_FORMAT, "index": 0}
"""What all details of the sandbox have alike."""

_RESPONSES_FORMAT = re.compile(r"callmissed-responses-v1/(.*)/(\d*)")
"""`format` of details that a provider of the responses dialect thought, with the item's id and the part's number."""

_RESPONSES_TYPES: Mapping[Any, str] = {"summary_text": "reasoning.summary", "reasoning_text": "reasoning.text"}

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


def format_of(part: Thinking | RedactedThinking) -> str:
    """The `format` of a detail, which says whose thought it is."""
    own = part.extras.get("openai_responses")
    if own is None:
        return CLAUDE_FORMAT
    return f"callmissed-responses-v1/{own.get('id', '')}/{own.get('part', '')}"


def detail_of(part: Thinking | RedactedThinking, index: int) -> dict[str, Any]:
    """A thought, or a piece of one, with what its provider demands back, in the form that OpenRouter uses."""
    if isinstance(part, RedactedThinking):
        return {"type": "reasoning.encrypted", "data": part.data, "index": index}
    kind = part.extras.get("openai_responses", {}).get("type")
    return _detail(part, {"type": _RESPONSES_TYPES.get(kind, "reasoning.text")}) | {"index": index}


def extras_of(detail: Mapping[str, Any]) -> Extras:
    """What the provider of a thought needs: nothing where it is Claude's, else the fields of its own dialect."""
    if is_claude(detail):
        return {}
    found = _RESPONSES_FORMAT.fullmatch(str(detail.get("format")))
    if found is None:
        return {"openai_chat": {"reasoning_details": {n: v for n, v in detail.items() if n not in VARYING_FIELDS}}}
    own: dict[str, Any] = {"id": found[1]} if found[1] else {}
    kinds = [kind for kind, name in _RESPONSES_TYPES.items() if name == detail.get("type")]
    if kinds and found[2]:
        own |= {"type": kinds[0], "part": int(found[2])}
    return {"openai_responses": own}


def _detail(part: Thinking | RedactedThinking, constant: dict[str, Any]) -> dict[str, Any]:
    if isinstance(part, RedactedThinking):
        return constant | {"data": part.data}
    signed = {"signature": part.signature} if part.signature else {}
    return constant | {STATED_BY_TYPE.get(constant.get("type"), "text"): part.text, **signed}
