"""Families of models on Bedrock: what they take beside the fields that Converse has for all.

A model's family is known by its id: of the model itself, of an inference profile (`us.anthropic.claude-…`), or by
either in an ARN. Of a model behind another ARN our own id of the model says what it is.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callmissed_ai.dialects.conversation import Conversation
from callmissed_ai.dialects.reasoning.effort import effort_of

_EFFORTS = {"minimal": "low", "xhigh": "high", "max": "high"}
"""Of the efforts that a family with three has not."""

_Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """One family: the `maker` at the start of its ids, and a `word` in the ids that we give its models.

    `top_k` is where it takes that field, and `thinking` makes its fields from how much the model is to think, up to an
    output limit; None where it takes no such. `is_claude` says that it takes what Anthropic's own API has; the module
    `claude` has its thinking. `signs` says that it demands its signed thoughts back, `marks_failures` that it takes the
    status of a tool's result.
    """

    maker: str
    word: str = ""
    top_k: tuple[str, ...] = ()
    thinking: Callable[[Conversation, int], _Fields] | None = None
    is_claude: bool = False
    signs: bool = False
    marks_failures: bool = False


def _nova_thinking(conversation: Conversation, limit: int) -> _Fields:
    effort = _effort(conversation, limit)
    if effort == "none":
        return {"reasoningConfig": {"type": "disabled"}}
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}} if effort else {}


def _gpt_thinking(conversation: Conversation, limit: int) -> _Fields:
    effort = _effort(conversation, limit)
    return {"reasoning_effort": "low" if effort == "none" else effort} if effort else {}  # these models always think


def _effort(conversation: Conversation, limit: int) -> str | None:
    """Low, medium or high; `none`, and None where the model decides."""
    reasoning = conversation.reasoning
    effort = effort_of(reasoning, limit) or ("medium" if reasoning.mode else None)
    return _EFFORTS.get(effort, effort) if effort else None


_FAMILIES = (
    Family("anthropic.claude", "claude", ("top_k",), is_claude=True, signs=True, marks_failures=True),
    Family("amazon.nova", "nova", ("inferenceConfig", "topK"), _nova_thinking, marks_failures=True),
    Family("openai.gpt", "gpt", (), _gpt_thinking),
    Family("mistral.", "mistral", ("top_k",)),
    Family("cohere.", "command", ("k",)),
)
_OTHERS = Family("")
_UNKNOWN = Family("", signs=True)
"""Of a model that may be anyone's: a signed thought that is sent to it is most likely its own."""

_NAMES_MODEL = re.compile(r"(foundation-model|:inference-profile)/")


def family_of(upstream_id: str, model_id: str) -> Family:
    """The family of the model `upstream_id`, which callers know as `model_id`."""
    for family in _FAMILIES:
        if re.search(rf"(^|[./]){re.escape(family.maker)}", upstream_id):
            return family
    if not upstream_id.startswith("arn:") or _NAMES_MODEL.search(upstream_id):
        return _OTHERS
    return next((family for family in _FAMILIES if family.word in model_id.lower()), _UNKNOWN)
