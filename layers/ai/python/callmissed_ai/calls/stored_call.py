"""Calls whose response is stored, and that may name what is stored (docs/decisions/0018-stored-responses.md).

What is stored is read before the payer is known, because the estimate is part of the write that admits the payer.
So it may be another tenant's until `check_owner` has passed: nothing of it may be held, sent or shown before.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from callmissed.aws.buckets import BucketUnavailable
from callmissed.aws.dynamodb import DynamoError
from callmissed.catalog.model import Catalog
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.observability import count, get_logger
from callmissed_ai.services.responses_store.chaining import (
    PREVIOUS,
    Chained,
    chained,
    conversation_too_long,
    unchained,
)
from callmissed_ai.services.responses_store.lookup import Found, look_up
from callmissed_ai.services.responses_store.records import Owner, StoredResponse
from callmissed_ai.services.responses_store.references import resolved
from callmissed_ai.services.responses_store.store import ResponsesStore
from callmissed_ai.services.responses_store.windows import fitted, room_for_input

MAX_KEEP_SECONDS = 9.0
"""Time for storing one response: all tries of one write, and no more, so that API Gateway cuts no blocking call."""

_logger = get_logger("inference")
_INPUT_PATH = re.compile(r"\binput\.(\d+)")


class StoredCall:
    """What one call has of the store, and gives to it, if `wanted`: its own response."""

    def __init__(self, store: ResponsesStore, request: Chained, found: Found, *, wanted: bool) -> None:
        self.wanted = wanted
        self.request = request
        self._store = store
        self._found = found
        self._places: Sequence[int] = range(len(request.own))

    @classmethod
    async def read(cls, store: ResponsesStore, body: Mapping[str, Any], size: int, *, stores: bool = True) -> Self:
        """The call of the valid JSON `body` of `size` bytes, with what it continues. Raises ApiError 503."""
        wanted = stores and body.get("store") is not False
        return cls(store, unchained(body, size), await look_up(store, body), wanted=wanted)

    @property
    def is_missing(self) -> bool:
        """Whether the request continues a response, or refers to an item, that nobody has."""
        return self._found.missing() is not None

    def join(self) -> Chained:
        """Put the stored conversation before the request's input, and items in the place of references.

        Raises ApiError 400, and 404 for what does not exist.
        """
        found = self._found
        if refused := found.missing():
            raise refused
        if found.references or found.previous:
            items = {item_id: each.item for item_id, each in found.items.items()}
            own = resolved(self.request.body, self.request.size, found.history, items)
            self._places = own.places
            self.request = (
                chained(own.body, own.size, found.previous) if found.previous else unchained(own.body, own.size)
            )
        return self.request

    async def fit(self, catalog: Catalog) -> Chained:
        """The joined request without the oldest turns that its models can't hold, if its caller agrees to that."""
        request = self.request
        if request.body.get("truncation") != "auto":
            return request
        room = room_for_input(catalog, request.body)
        if room is not None and request.size > room:  # a token has a byte at least
            self.request, places = await asyncio.to_thread(fitted, request, room)
            self._places = [self._places[place] for place in places]
        return self.request

    def check_owner(self, owner: Owner) -> None:
        """Raise ApiError 404 where something that is continued or referred to is not of `owner`, as if it were none."""
        if refused := self._found.missing(owner):
            raise refused

    def in_callers_words(self, error: ApiError) -> ApiError:
        """`error` with the places of the caller's own items, or naming the conversation where the fault is there."""
        before = len(self.request.earlier)
        if not before or error.status != 400 or not (error.param or "").startswith("input"):
            return error
        if error.param == "input":
            return conversation_too_long()
        place = _INPUT_PATH.match(error.param or "")
        param = PREVIOUS if place and int(place[1]) < before else self._moved(error.param or "")
        return ApiError(error.status, error.code, self._moved(error.message), param=param, headers=error.headers)

    def _moved(self, text: str) -> str:
        """`text` with the places of items as they are in the caller's input."""
        before = len(self.request.earlier)

        def moved(place: re.Match[str]) -> str:
            index = int(place[1])
            return f"{PREVIOUS}.{index}" if index < before else f"input.{self._places[index - before]}"

        return _INPUT_PATH.sub(moved, text)

    async def keep(self, response: Mapping[str, Any], owner: Owner, now: Micros) -> bool:
        """Store the `response`. A failure is logged and counted, and returns False: the reply is paid for."""
        stored = StoredResponse(owner, now, response, self.request.own, self.request.earlier)
        try:
            async with asyncio.timeout(MAX_KEEP_SECONDS):
                await self._store.put(stored)
        except (DynamoError, BucketUnavailable, TimeoutError):
            _logger.exception("a response is not stored", extra={"response": stored.response_id})
            count("ResponseNotStored")
            return False
        return True

    async def forget(self, response_id: str, owner: Owner) -> None:
        """Delete a response that its caller does not get; what can't be deleted now expires."""
        try:
            await self._store.delete(owner, response_id)
        except (ApiError, DynamoError):
            _logger.exception("a response that nobody got stays until it expires", extra={"response": response_id})
