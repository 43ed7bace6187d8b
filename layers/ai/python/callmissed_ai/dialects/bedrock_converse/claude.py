"""How Claude is asked to think on Bedrock: as by Anthropic itself, but for the place of the effort."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed_ai.dialects.anthropic_messages.rules.thinking import thinking_of, with_budget
from callmissed_ai.dialects.conversation import Conversation
from callmissed_ai.dialects.dialect import Target

_KINDS: Mapping[str, str] = {"toolUse": "tool_use", "toolResult": "tool_result", "reasoningContent": "thinking"}
"""Anthropic's types of blocks, by Bedrock's fields."""


@dataclass(frozen=True, slots=True)
class ClaudeThinking:
    """Claude's own field `thinking`, and the effort; None where the model decides."""

    thinking: dict[str, Any] | None
    effort: str | None


def claude_thinking(
    conversation: Conversation, messages: Sequence[Mapping[str, Any]], target: Target
) -> ClaudeThinking:
    """How Claude is to think beside `messages`. Raises ApiError 400 for a budget that can't be."""
    kinds = list(map(_kinds_of, messages))
    effort, thinking = conversation.reasoning.effort, thinking_of(conversation, kinds)
    effort = None if effort == "none" else "low" if effort == "minimal" else effort
    if not target.model.thinks_by_budget:
        return ClaudeThinking(thinking, effort)
    config = {"output_config": {"effort": effort}} if effort else {}
    asked = {"messages": kinds, **config, **({"thinking": thinking} if thinking else {})}
    return ClaudeThinking(with_budget(asked, target.output_limit).get("thinking"), None)


def _kinds_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as Anthropic's, with nothing in its blocks but what they are."""
    return {"role": message["role"], "content": list(_types(message["content"]))}


def _types(content: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for block in content:
        yield {"type": next((_KINDS[name] for name in block if name in _KINDS), "text")}
