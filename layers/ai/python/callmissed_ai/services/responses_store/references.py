"""References to items of stored responses in a request's input: each is replaced by its item.

A client that relies on what is stored sends `{"type": "item_reference", "id": …}` for what a model wrote before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import MAX_CONTAINERS, containers_in
from callmissed_ai.services.responses_store.items import listed_id, own_items
from callmissed_ai.services.responses_store.records import JsonObject, json_text

_TYPE = "item_reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference in the input: where it stands, and the id of its item, "" for what can't be one."""

    place: int
    item_id: str

    def not_found(self) -> ApiError:
        """404: there is no such item, or none of this caller's."""
        shown = self.item_id[:80].encode(errors="replace").decode()
        message = (
            f"Item with id '{shown}' not found. Items are found for 30 days if their response was stored. Send the "
            "item itself, or remove it from your input."
        )
        return ApiError(404, "item_not_found", message, param=f"input.{self.place}.id")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A request of `size` bytes whose input has items in the place of references.

    `places` says of each item where it stands in the caller's input.
    """

    body: Mapping[str, Any]
    size: int
    places: Sequence[int]


def references_in(body: Mapping[str, Any], history: Sequence[JsonObject] = ()) -> list[Reference]:
    """The references in the input, but for those to items of the `history` that comes before it."""
    own = own_items(body.get("input"))
    found = [Reference(place, _id(item)) for place, item in enumerate(own) if _is_one(item)]
    known = _ids(history) if found else set[str]()
    return [reference for reference in found if reference.item_id not in known]


def resolved(
    body: Mapping[str, Any], size: int, history: Sequence[JsonObject], found: Mapping[str, JsonObject]
) -> Resolved:
    """The request with what is `found` in the place of references; an item of the `history` is there already.

    Raises ApiError 400 for a request that is too long then.
    """
    own = own_items(body.get("input"))
    if not any(map(_is_one, own)):
        return Resolved(body, size, range(len(own)))
    known, items, places = _ids(history), list[JsonObject](), list[int]()
    lengths = {item_id: len(json_text(item)) for item_id, item in found.items()}
    for place, item in enumerate(own):
        if _is_one(item):
            if _id(item) in known:
                continue
            size += lengths[_id(item)]
            item = found[_id(item)]
            if size > MAX_BODY_BYTES:
                raise _too_long()
        items.append(item)
        places.append(place)
    whole = {**body, "input": items}
    if containers_in(json_text(whole)) > MAX_CONTAINERS:
        raise _too_long()
    return Resolved(whole, size, places)


def _is_one(item: JsonObject) -> bool:
    """Whether an item is a reference; the type may be left out."""
    return item.get("type") == _TYPE or (item.get("type") is None and "id" in item and not item.keys() - {"id", "type"})


def _id(reference: JsonObject) -> str:
    given = reference.get("id")
    return given if isinstance(given, str) else ""


def _ids(history: Sequence[JsonObject]) -> Collection[str]:
    return {listed_id(item, position) for position, item in enumerate(history)}


def _too_long() -> ApiError:
    message = (
        f"The input and the items that it refers to are more than {MAX_BODY_BYTES} bytes or {MAX_CONTAINERS:,} objects "
        "and lists."
    )
    return invalid_request(message, "input", "context_length_exceeded")
