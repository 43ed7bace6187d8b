"""A request of this dialect as its upstream gets it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from callmissed.catalog.model import Model
from callmissed_ai.dialects.openai_responses import carriers
from callmissed_ai.dialects.openai_responses.request import ENCRYPTED_REASONING, GATEWAY_FIELDS
from callmissed_ai.dialects.output_bounds import LOWEST_LIMITS
from callmissed_ai.dialects.reasoning.open_turn import foreign_thought

_Items = Sequence[Mapping[str, Any]]


def addressed(body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> dict[str, Any]:
    """`body` for the upstream's model `upstream_id`, which keeps nothing of it. Raises ApiError 400 as `_kept` does."""
    sent = {name: value for name, value in body.items() if name not in GATEWAY_FIELDS}
    sent |= {"model": upstream_id, "store": False, "max_output_tokens": max(limit, LOWEST_LIMITS["openai_responses"])}
    if isinstance(body["input"], list):
        sent["input"] = list(_kept(cast("_Items", body["input"])))
    included = [name for name in body.get("include") or () if name != ENCRYPTED_REASONING]
    if model.supports_reasoning and (body.get("store", True) or len(included) < len(body.get("include") or ())):
        included.append(ENCRYPTED_REASONING)
    sent["include"] = included
    return _with_effort(sent if included else {name: value for name, value in sent.items() if name != "include"}, model)


def _kept(items: _Items) -> Iterator[Mapping[str, Any]]:
    """The items that the upstream can read: it has none of ours, and knows no thought by its id alone.

    Raises ApiError 400 for another provider's thought in a turn that waits for results of tools.
    """
    users = [number for number, item in enumerate(items) if item.get("role") == "user"]
    open_since = users[-1] if users else 0
    for number, item in enumerate(items):
        if item["type"] != "reasoning":
            yield item
        elif carriers.is_carrier(item):
            if number > open_since and carriers.is_thought(item):
                raise foreign_thought(f"input.{number}")
        elif item.get("encrypted_content") or item.get("content"):
            yield item


def _with_effort(body: dict[str, Any], model: Model) -> dict[str, Any]:
    """`body` with the reasoning effort that the model's row maps the caller's to; "" leaves it out."""
    reasoning: Mapping[str, Any] = body.get("reasoning") or {}
    asked = reasoning.get("effort")
    if asked is None or model.reasoning_efforts is None:
        return body
    sent = model.reasoning_efforts.get(asked, asked)
    others = {name: value for name, value in reasoning.items() if name != "effort"}
    return body | {"reasoning": others | ({"effort": sent} if sent else {})}
