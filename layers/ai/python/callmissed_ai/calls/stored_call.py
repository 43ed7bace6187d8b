"""Calls whose response is stored, and that may continue a stored one (docs/decisions/0018-stored-responses.md).

The stored response is read before the payer is known, because the estimate is part of the write that admits the payer.
So it may be another tenant's until `check_owner` has passed: nothing of it may be held, sent or shown before.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Self

from callmissed.aws.buckets import BucketUnavailable
from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.observability import count, get_logger
from callmissed_ai.services.responses_store.chaining import (
    PREVIOUS,
    Chained,
    chained,
    conversation_too_long,
    previous_not_found,
    unchained,
)
from callmissed_ai.services.responses_store.records import Owner, StoredResponse
from callmissed_ai.services.responses_store.store import ResponsesStore

MAX_KEEP_SECONDS = 9.0
"""Time for storing one response: all tries of one write, and no more, so that API Gateway cuts no blocking call."""

_logger = get_logger("inference")
_INPUT_PATH = re.compile(r"\binput\.(\d+)")


class StoredCall:
    """What one call has of the store, and gives to it, if `wanted`: its own response."""

    def __init__(
        self, store: ResponsesStore, request: Chained, named: str, previous: StoredResponse | None, *, wanted: bool
    ) -> None:
        self.wanted = wanted
        self.request = request
        self._store = store
        self._named = named
        self._previous = previous

    @classmethod
    async def read(cls, store: ResponsesStore, body: Mapping[str, Any], size: int, *, stores: bool = True) -> Self:
        """The call of the valid JSON `body` of `size` bytes, with what it continues. Raises ApiError 503."""
        wanted, named = stores and body.get("store") is not False, body.get(PREVIOUS)
        if not isinstance(named, str):
            return cls(store, unchained(body, size), "", None, wanted=wanted)
        return cls(store, unchained(body, size), named, await store.read(named), wanted=wanted)

    @property
    def is_missing(self) -> bool:
        """Whether the request continues a response that nobody has."""
        return bool(self._named) and self._previous is None

    def join(self) -> Chained:
        """Put the stored conversation before the request's input. Raises ApiError 400, and 404 where there is none."""
        if self.is_missing:
            raise previous_not_found(self._named)
        if self._previous:
            self.request = chained(self.request.body, self.request.size, self._previous)
        return self.request

    def check_owner(self, owner: Owner) -> None:
        """Raise ApiError 404 where the response that is continued is not of `owner`, as if there were none."""
        if self._previous and self._previous.owner != owner:
            raise previous_not_found(self._named)

    def in_callers_words(self, error: ApiError) -> ApiError:
        """`error` with the places of the caller's own items, or naming the conversation where the fault is there."""
        before = len(self.request.earlier)
        if not before or error.status != 400 or not (error.param or "").startswith("input"):
            return error
        if error.param == "input":
            return conversation_too_long()
        place = _INPUT_PATH.match(error.param or "")
        param = PREVIOUS if place and int(place[1]) < before else _moved(error.param or "", before)
        return ApiError(error.status, error.code, _moved(error.message, before), param=param, headers=error.headers)

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


def _moved(text: str, before: int) -> str:
    """`text` with the places of items counted from the caller's first."""

    def moved(place: re.Match[str]) -> str:
        index = int(place[1])
        return f"input.{index - before}" if index >= before else f"{PREVIOUS}.{index}"

    return _INPUT_PATH.sub(moved, text)
