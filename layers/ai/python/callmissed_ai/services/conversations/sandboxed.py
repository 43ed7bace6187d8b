"""Conversations of other dialects for the sandbox, which stands in for the models of every provider.

What is left out of a chat because only another provider could read it, the sandbox plays too: signatures of thoughts,
cache marks, and thinking that is switched on without an effort.
"""

from dataclasses import replace

from callmissed_ai.dialects.conversation import (
    Conversation,
    Extras,
    Part,
    Reasoning,
    RedactedThinking,
    Refusal,
    Thinking,
    ToolCall,
)
from callmissed_ai.dialects.openai_chat.reasoning import SANDBOX_DETAIL

_MARK = "cache_control"


def for_sandbox(conversation: Conversation) -> Conversation:
    """`conversation` as if the sandbox had taken part in all of it."""
    return replace(
        conversation,
        turns=tuple(replace(turn, parts=tuple(map(_part, turn.parts))) for turn in conversation.turns),
        tools=tuple(replace(tool, extras=_marked(tool.extras)) for tool in conversation.tools),
        reasoning=_reasoning(conversation.reasoning),
    )


def _part(part: Part) -> Part:
    match part:
        case Thinking() | RedactedThinking():
            return part if "openai_chat" in part.extras else replace(part, extras=_own(part))
        case ToolCall() | Refusal():
            return part
        case _:
            return replace(part, extras=_marked(part.extras))


def _own(part: Thinking | RedactedThinking) -> Extras:
    kind = {} if isinstance(part, Thinking) else {"type": "reasoning.encrypted"}
    return {"openai_chat": {"reasoning_details": {**SANDBOX_DETAIL, **kind}}}


def _marked(extras: Extras) -> Extras:
    mark = extras.get("anthropic_messages", {}).get(_MARK)
    return {**extras, "openai_chat": {**extras.get("openai_chat", {}), _MARK: mark}} if mark else extras


def _reasoning(reasoning: Reasoning) -> Reasoning:
    """A budget, or thinking that is merely switched on, is an effort with which the sandbox thinks."""
    is_on = reasoning.mode in ("on", "adaptive")
    return Reasoning("adaptive", None, "medium") if is_on and (reasoning.budget or not reasoning.effort) else reasoning
