"""Pages of the items that a response was made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from callmissed.errors import invalid_request
from callmissed_ai.services.responses_store.items import listed_items
from callmissed_ai.services.responses_store.records import JsonObject, StoredResponse

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which items: at most `limit`, in `order`, after or before the item of an id, "" for none."""

    order: Order = "desc"
    limit: int = 20
    after: str = ""
    before: str = ""


def page_of_items(stored: StoredResponse, request: PageRequest) -> dict[str, Any]:
    """The list object of a page. Raises ApiError 400 for a cursor that is no item's id."""
    items = listed_items(stored.given)
    if request.order == "desc":
        items.reverse()
    start = _place(items, request.after, "after") + 1 if request.after else 0
    end = _place(items, request.before, "before") if request.before else len(items)
    selected = items[start:end]
    if request.before and not request.after:
        page, has_more = selected[-request.limit :], len(selected) > request.limit  # the ones next to the cursor
    else:
        page, has_more = selected[: request.limit], len(selected) > request.limit
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": has_more,
    }


def _place(items: Sequence[JsonObject], item_id: str, param: str) -> int:
    for place, item in enumerate(items):
        if item["id"] == item_id:
            return place
    raise invalid_request(f"Invalid '{param}': the response has no such item.", param)
