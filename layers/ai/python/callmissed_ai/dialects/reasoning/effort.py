"""Effort and budget of reasoning, of which a dialect may have only one."""

from callmissed_ai.dialects.conversation import Reasoning

_LOW_SHARE, _MEDIUM_SHARE = 0.2, 0.5
"""Shares of the output limit up to which a budget for thinking is a low or a medium effort."""


def effort_of(reasoning: Reasoning, output_limit: int | None) -> str | None:
    """The effort that `reasoning` means, None where the model decides."""
    if reasoning.mode == "off":
        return "none"
    if reasoning.effort or not reasoning.budget:
        return reasoning.effort
    share = reasoning.budget / (output_limit or reasoning.budget)
    return "low" if share <= _LOW_SHARE else "medium" if share <= _MEDIUM_SHARE else "high"
