"""Thinking, and what Anthropic demands of the rest of a request in which the model thinks.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
"""

from collections.abc import Sequence
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.conversation import Conversation, RedactedThinking, Thinking, ToolCall, Turn
from callmissed_ai.dialects.reasoning.budget import MIN_BUDGET
from callmissed_ai.dialects.reasoning.open_turn import start_of_open_turn

_MIN_TOP_P = 0.95


def thinking_of(conversation: Conversation) -> dict[str, Any] | None:
    """The field `thinking`, None where the model decides. Raises ApiError 400 for a budget that can't be.

    An effort is a wish, which gives way to a tool that must be called. So does a budget to a turn that the caller
    continues without the thoughts it began with: many clients can't send them back.
    """
    reasoning = conversation.reasoning
    own = reasoning.extras.get("anthropic_messages", {})
    if reasoning.mode == "off" or (reasoning.mode is None and reasoning.effort == "none"):
        return {"type": "disabled"}
    if reasoning.mode == "adaptive":
        return None if _forces_a_tool(conversation) else {"type": "adaptive", **own}
    if not reasoning.budget:
        return None
    budget = max(MIN_BUDGET, reasoning.budget)
    if _forces_a_tool(conversation):
        raise invalid_request(
            "Invalid 'tool_choice': this model can't think up to a budget and be forced to call a tool.", "tool_choice"
        )
    if conversation.output_limit is not None and conversation.output_limit <= budget:
        raise budget_too_large(budget)
    return (
        None if _continues_without_thoughts(conversation.turns) else {"type": "enabled", "budget_tokens": budget, **own}
    )


def sampling_of(conversation: Conversation, thinking: dict[str, Any] | None) -> dict[str, Any]:
    """The fields of sampling. Raises ApiError 400 for a temperature that Anthropic does not have.

    A model that thinks takes none but `top_p` from 0.95, so the others are left out. Newer models take `temperature` or
    `top_p`: a value that says nothing gives way to one that does.
    """
    temperature, top_p = conversation.temperature, conversation.top_p
    if temperature is not None and temperature > 1:
        raise invalid_request("Invalid 'temperature': this model's provider allows 0 to 1.", "temperature")
    if thinking and thinking["type"] != "disabled":
        return {"top_p": top_p} if top_p is not None and top_p >= _MIN_TOP_P else {}
    if temperature is not None and top_p is not None and 1 in (temperature, top_p):
        temperature, top_p = (temperature, None) if top_p == 1 else (None, top_p)
    fields = {"temperature": temperature, "top_p": top_p, "top_k": conversation.top_k}
    return {name: value for name, value in fields.items() if value is not None}


def budget_too_large(budget: int) -> ApiError:
    """400 for a budget that leaves no room for the reply."""
    message = f"The output limit must be larger than the {budget} tokens that the model may think."
    return invalid_request(message, "reasoning.max_tokens")


def _forces_a_tool(conversation: Conversation) -> bool:
    return conversation.tool_choice is not None and conversation.tool_choice.mode in ("required", "named")


def _continues_without_thoughts(turns: Sequence[Turn]) -> bool:
    """Whether results follow a message with calls that has no thought of Claude's before them."""
    open_parts = [
        part for turn in turns[start_of_open_turn(turns) :] if turn.role == "assistant" for part in turn.parts
    ]
    thinks = any(isinstance(part, Thinking | RedactedThinking) and not _is_foreign(part) for part in open_parts)
    return not thinks and any(isinstance(part, ToolCall) for part in open_parts)


def _is_foreign(part: Thinking | RedactedThinking) -> bool:
    return any(dialect != "anthropic_messages" for dialect in part.extras)
