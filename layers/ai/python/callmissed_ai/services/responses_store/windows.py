"""With `truncation: "auto"`, the oldest turns of a request that its models' windows can't hold are left out.

Tokens are estimated, so a tenth of the window stays free. Instructions, tools and the last turn of the user's are never
left out: where they are too long by themselves, the provider says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from callmissed.catalog.model import Catalog
from callmissed_ai.dialects.openai_responses.usage import estimate_request
from callmissed_ai.services.responses_store.chaining import Chained
from callmissed_ai.services.responses_store.records import JsonObject, json_text
from callmissed_ai.services.responses_store.turns import first_that_fits, is_instruction, kept_from, starts

DEFAULT_REPLY_TOKENS = 16_384
"""Tokens that are left to a reply whose limit the caller did not set, if the window is twice as large."""


def room_for_input(catalog: Catalog, body: Mapping[str, Any]) -> int | None:
    """Tokens that the input may have so that each model asked for can reply; None where no window is known."""
    others: Any = body.get("models")
    names = [body.get("model"), *(cast("list[Any]", others) if isinstance(others, list) else ())]
    models = (catalog.find(name) for name in names if isinstance(name, str))
    window = min((model.context_window for model in models if model and model.context_window), default=None)
    if window is None:
        return None
    limit = body.get("max_output_tokens")
    reply = limit if isinstance(limit, int) and limit > 0 else DEFAULT_REPLY_TOKENS
    return (window - min(reply, window // 2)) * 9 // 10


def fitted(request: Chained, room: int) -> tuple[Chained, Sequence[int]]:
    """`request` without the oldest turns that are too much for `room` tokens, and the places of its own items before.

    It reads as much text as there is room for: run it in a thread.
    """
    items, before = [*request.earlier, *request.own], len(request.earlier)
    candidates = list(starts(items))
    room -= estimate_request({**request.body, "input": []})
    start = first_that_fits(items, iter(candidates), _weights(items, room), room)
    kept = kept_from(items, candidates[-1] if start is None else start)
    if len(kept) == len(items):
        return request, range(len(request.own))
    earlier, own = (
        [items[place] for place in kept if place < before],
        [items[place] for place in kept if place >= before],
    )
    size = request.size - sum(len(json_text(items[place])) + 1 for place in {*range(len(items))}.difference(kept))
    whole = {**request.body, "input": [*earlier, *own]}
    return Chained(whole, max(size, 0), earlier, own), [place - before for place in kept if place >= before]


def _weights(items: Sequence[JsonObject], room: int) -> list[int]:
    """Tokens of each item. What could not stay anyway is not counted: it weighs more than there is room for."""
    weights: list[int] = []
    left = room
    for item in reversed(items):
        weights.append(estimate_request({"input": [item]}) if left >= 0 or is_instruction(item) else max(0, room) + 1)
        left -= weights[-1]
    return weights[::-1]
