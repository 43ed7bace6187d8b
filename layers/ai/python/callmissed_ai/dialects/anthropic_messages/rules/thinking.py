"""Thinking, and what Anthropic demands of the rest of a request in which the model thinks.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
"""

from collections.abc import Mapping, Sequence
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.anthropic_messages.rules.turns import THOUGHTS
from callmissed_ai.dialects.conversation import Conversation
from callmissed_ai.dialects.reasoning.budget import MIN_BUDGET

_MIN_TOP_P = 0.95
_SHARES: Mapping[object, float] = {"low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95}
_USUAL_SHARE = 0.5
"""Shares of the output limit that an effort means as a budget, as OpenRouter has them."""


def thinking_of(conversation: Conversation, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The field `thinking` beside `messages`, None where the model decides. Raises ApiError 400 for an odd budget.

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
    return None if _lacks_thoughts(messages) else {"type": "enabled", "budget_tokens": budget, **own}


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


def with_budget(body: Mapping[str, Any], limit: int) -> Mapping[str, Any]:
    """`body` for a model that thinks up to a budget only: the share of the output limit that an effort means.

    Where that leaves no room, or the turn's thoughts are missing, it does not think.
    """
    config: Mapping[str, Any] = body.get("output_config") or {}
    thinking: Mapping[str, Any] = body.get("thinking") or {}
    effort = config.get("effort")
    if effort is None and thinking.get("type") != "adaptive":
        return body
    rest = {name: value for name, value in config.items() if name != "effort"}
    kept = {name: value for name, value in body.items() if name not in ("output_config", "thinking")}
    if rest:
        kept["output_config"] = rest
    if thinking.get("type") != "adaptive":
        return kept | ({"thinking": thinking} if thinking else {})
    if limit <= MIN_BUDGET or _lacks_thoughts(body["messages"]):
        return kept
    budget = max(MIN_BUDGET, min(int(limit * _SHARES.get(effort, _USUAL_SHARE)), limit - 1))
    return kept | {"thinking": {**thinking, "type": "enabled", "budget_tokens": budget}}


def _lacks_thoughts(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether results follow calls before which no thought stands, which a model that thinks up to a budget refuses."""
    kinds: set[str] = set()
    for message in reversed(messages):
        content = message["content"]
        found = {block["type"] for block in content} if isinstance(content, list) else {"text"}  # pyright: ignore[reportUnknownVariableType]  a valid request
        if message["role"] == "user" and "tool_result" not in found:
            break
        if message["role"] == "assistant":
            kinds |= found
    return "tool_use" in kinds and kinds.isdisjoint(THOUGHTS)
