"""A request that continues a stored response: the conversation until then is put before the request's own input.

The limits of a body hold for the whole. With `truncation: "auto"` the oldest turns are left out until it fits, as at
OpenAI; otherwise the request is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import MAX_CONTAINERS, containers_in
from callmissed_ai.services.responses_store.items import own_items
from callmissed_ai.services.responses_store.records import JsonObject, StoredResponse, json_text
from callmissed_ai.services.responses_store.turns import first_that_fits, kept_from, starts

PREVIOUS = "previous_response_id"


@dataclass(frozen=True, slots=True)
class Chained:
    """A request with the whole conversation as its input.

    `size` is its length in bytes, `earlier` what was put before the caller's `own` items.
    """

    body: Mapping[str, Any]
    size: int
    earlier: Sequence[JsonObject]
    own: Sequence[JsonObject]


def unchained(body: Mapping[str, Any], size: int) -> Chained:
    """A request that continues nothing."""
    return Chained(body, size, (), own_items(body.get("input")))


def chained(body: Mapping[str, Any], size: int, previous: StoredResponse) -> Chained:
    """A request of `size` bytes that continues `previous`. Raises ApiError 400 for a conversation that is too long."""
    history, own = previous.conversation, own_items(body.get("input"))
    if not own and body.get("input") not in (None, []):
        return unchained(body, size)  # validation names the fault
    earlier, added = _fitting(history, size, containers_in(json_text(body)), cut=body.get("truncation") == "auto")
    return Chained({**body, "input": [*earlier, *own]}, size + added, earlier, own)


def _fitting(
    history: Sequence[JsonObject], size: int, containers: int, *, cut: bool
) -> tuple[Sequence[JsonObject], int]:
    """What of `history` fits before a request of `size` bytes, and its bytes. Raises ApiError 400."""
    texts = [json_text(item) for item in history]
    weights = [len(text) + 1 for text in texts]
    candidates = [*starts(history), len(history)] if cut else [0]
    start = first_that_fits(history, iter(candidates), weights, MAX_BODY_BYTES - size)
    left = iter(each for each in candidates if start is not None and each >= start)
    start = first_that_fits(history, left, [containers_in(text) for text in texts], MAX_CONTAINERS - containers)
    if start is None:
        raise conversation_too_long()
    kept = kept_from(history, start)
    return [history[place] for place in kept], sum(weights[place] for place in kept)


def conversation_too_long() -> ApiError:
    """400: the stored conversation leaves no room for the request."""
    message = (
        f"The conversation of '{PREVIOUS}' and the input are more than {MAX_BODY_BYTES} bytes or {MAX_CONTAINERS:,} "
        'objects and lists. Start anew with a summary, or let the oldest turns be left out with "truncation": "auto".'
    )
    return invalid_request(message, PREVIOUS, "context_length_exceeded")


def previous_not_found(response_id: str) -> ApiError:
    """404: there is no such response, or none of this caller's."""
    shown = response_id[:80].encode(errors="replace").decode()
    return ApiError(
        404, "previous_response_not_found", f"Previous response with id '{shown}' not found.", param=PREVIOUS
    )
