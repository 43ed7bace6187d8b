"""What a request names of the store: the response that it continues, and the items that it refers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.services.responses_store.chaining import PREVIOUS, previous_not_found
from callmissed_ai.services.responses_store.records import JsonObject, Owner, StoredResponse
from callmissed_ai.services.responses_store.references import Reference, references_in
from callmissed_ai.services.responses_store.store import FoundItem, ResponsesStore


@dataclass(frozen=True, slots=True)
class Found:
    """What a request names, "" and none for what it doesn't, and what of it there is, whoever owns that."""

    named: str
    previous: StoredResponse | None
    references: Sequence[Reference]
    items: Mapping[str, FoundItem]

    @property
    def history(self) -> Sequence[JsonObject]:
        """The conversation that the request continues."""
        return self.previous.conversation if self.previous else ()

    def missing(self, owner: Owner | None = None) -> ApiError | None:
        """404 for the first thing that is not there, or not there for `owner`."""
        if self.named and (self.previous is None or owner not in (None, self.previous.owner)):
            return previous_not_found(self.named)
        for reference in self.references:
            item = self.items.get(reference.item_id)
            if item is None or owner not in (None, item.owner):
                return reference.not_found()
        return None


async def look_up(store: ResponsesStore, body: Mapping[str, Any]) -> Found:
    """What the request `body` names. Raises ApiError 400, 503."""
    given = body.get(PREVIOUS)
    named = given if isinstance(given, str) else ""
    previous = await store.read(named) if named else None
    if named and previous is None:
        return Found(named, None, (), {})
    references = references_in(body, previous.conversation if previous else ())
    return Found(named, previous, references, await store.find_items([each.item_id for each in references]))
