"""Stored responses of one stage."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from callmissed.aws.attributes import Item
from callmissed.aws.buckets import BucketUnavailable, LongBodies
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import SECOND, Clock
from callmissed.errors import invalid_request, service_unavailable
from callmissed.observability import get_logger
from callmissed.platform.tables import RESPONSES, RESPONSES_OF_TENANT
from callmissed_ai.services.responses_store.records import (
    JsonObject,
    Owner,
    StoredResponse,
    body_text,
    is_pointer,
    is_unique_id,
    owner_of,
    packed,
    pointer_key,
    stored_response_of,
    to_pointer_items,
    to_response_item,
)

MAX_INLINE_BYTES = 100 * 1024
"""The maximum packed body that the item itself has: about 300 KB of conversation. DynamoDB accepts items of 400 KB."""

MAX_REFERENCES = 500
"""Maximum of different items that a request refers to."""

_PAGE = 100
"""Items that are read or deleted at a time; the most that DynamoDB reads at once."""

_THREADED_BYTES = 64 * 1024
"""Bodies above this are packed and unpacked in a thread, so that other calls need not wait."""

_RESPONSE_ID = re.compile(r"resp_[0-9A-Za-z]{16,64}")
_logger = get_logger("inference")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FoundItem:
    """An item of a stored response, and whose it is."""

    owner: Owner
    item: JsonObject


class ResponsesStore:
    """Stored responses. What has expired does not exist, though DynamoDB deletes it later."""

    def __init__(self, database: Database, long_bodies: LongBodies, clock: Clock) -> None:
        self._database = database
        self._long_bodies = long_bodies
        self._clock = clock

    async def put(self, stored: StoredResponse) -> None:
        """Store a response and the pointers to its items side by side, a long one in S3 first.

        Safe to repeat. Raises DynamoError, BucketUnavailable.
        """
        text = body_text(stored)
        body: bytes | None = await _in_thread(len(text), lambda: packed(text))
        if len(body) > MAX_INLINE_BYTES:
            await self._long_bodies.keep(stored.response_id, body)
            body = None
        item = to_response_item(stored, body)
        await asyncio.gather(*(self._database.put(RESPONSES, each) for each in (item, *to_pointer_items(item))))

    async def read(self, response_id: str) -> StoredResponse | None:
        """The response, whoever owns it: what it has must not be used before `owner` is compared with the caller.

        One consistent read, and one of S3 for a long one; none for what is no id. Raises ApiError 503.
        """
        item = await self._item(response_id)
        return await self._stored(item) if item else None

    async def find(self, owner: Owner, response_id: str) -> StoredResponse | None:
        """The response, if `owner` has it. Raises ApiError 503."""
        stored = await self.read(response_id)
        return stored if stored and stored.owner == owner else None

    async def find_items(self, item_ids: Sequence[str]) -> Mapping[str, FoundItem]:
        """The items of these ids that stored responses have written, whoever owns them; see `read`.

        One read of the pointers, and one of the response that wrote the last item: its conversation mostly has the
        others too. Else one more for those; none for what is no id. Raises ApiError 400 for too many ids, and 503.
        """
        named = [item_id for item_id in dict.fromkeys(item_ids) if is_unique_id(item_id)]
        if len(named) > MAX_REFERENCES:
            message = f"Invalid 'input': references to more than {MAX_REFERENCES} different items."
            raise invalid_request(message, "input")
        pointers = {pointer["id"]: pointer async for pointer in self._live([pointer_key(each) for each in named])}
        wanted = {item_id: pointers[key]["response"] for item_id in named if (key := pointer_key(item_id)) in pointers}
        found = await self._found_in([*wanted.values()][-1:], wanted)
        others = {response: None for item_id, response in wanted.items() if item_id not in found}
        return {**await self._found_in([*others], wanted), **found}

    async def delete(self, owner: Owner, response_id: str) -> bool:
        """Delete the response; False if `owner` has none of that id. Raises ApiError 503."""
        item = await self._item(response_id)
        if not item or owner_of(item) != owner:
            return False
        try:
            return await self._delete(item)
        except (Unavailable, BucketUnavailable) as error:
            raise service_unavailable() from error

    async def delete_all(self, tenant: str) -> int:
        """Delete every response of `tenant`, live and sandboxed, page by page; returns how many there were.

        Safe to repeat, and to be repeated once no call of the tenant runs any more: the index of a tenant's responses
        lags behind their table. Raises Unavailable, BucketUnavailable.
        """
        deleted, start = 0, None
        while True:
            page = await self._database.page(RESPONSES, tenant, index=RESPONSES_OF_TENANT, start=start, limit=_PAGE)
            await asyncio.gather(*map(self._delete, page.items))
            deleted += sum(not is_pointer(item) for item in page.items)
            start = page.next
            if start is None:
                return deleted

    async def _item(self, response_id: str) -> Item:
        """The item; empty when there is none, or when it has expired."""
        if not _RESPONSE_ID.fullmatch(response_id):
            return {}
        try:
            item = await self._database.get(RESPONSES, {"id": response_id})
        except Unavailable as error:
            raise service_unavailable() from error
        return item if item and item["ttl"] > self._clock() // SECOND else {}

    async def _live(self, ids: Sequence[str]) -> AsyncIterator[Item]:
        """The items of these ids that have not expired. Raises ApiError 503."""
        for start in range(0, len(ids), _PAGE):
            keys: list[Item] = [{"id": each} for each in ids[start : start + _PAGE]]
            try:
                items = await self._database.get_all(RESPONSES, keys)
            except Unavailable as error:
                raise service_unavailable() from error
            for item in items:
                if item["ttl"] > self._clock() // SECOND:
                    yield item

    async def _found_in(self, response_ids: Sequence[str], wanted: Collection[str]) -> dict[str, FoundItem]:
        """The `wanted` items in the conversations of these responses, of which one is in memory at a time."""
        found: dict[str, FoundItem] = {}
        async for item in self._live(response_ids):
            stored = await self._stored(item)
            for each in stored.conversation:
                item_id = each.get("id")
                if isinstance(item_id, str) and item_id in wanted:
                    found[item_id] = FoundItem(stored.owner, each)
        return found

    async def _stored(self, item: Item) -> StoredResponse:
        body = await self._find(item["id"]) if item.get("in_s3") else item["body"]
        return await _in_thread(len(body), lambda: stored_response_of(item, body))

    async def _find(self, response_id: str) -> bytes:
        try:
            return await self._long_bodies.find(response_id)
        except BucketUnavailable as error:
            _logger.exception("a long response could not be found")
            raise service_unavailable() from error

    async def _delete(self, item: Item) -> bool:
        """Delete body and pointers first: a deletion that fails then can be repeated, as the item is still there."""
        if item.get("in_s3"):
            await self._long_bodies.remove(item["id"])
        await asyncio.gather(*(self._delete_pointer(each, item["id"]) for each in item.get("written", ())))
        return await self._database.delete_if(RESPONSES, {"id": item["id"]}, expected={"tenant": item["tenant"]})

    async def _delete_pointer(self, item_id: str, response_id: str) -> None:
        """Delete the pointer to an item, unless another response has it now."""
        await self._database.delete_if(RESPONSES, {"id": pointer_key(item_id)}, expected={"response": response_id})


async def _in_thread(size: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if size > _THREADED_BYTES else work()
