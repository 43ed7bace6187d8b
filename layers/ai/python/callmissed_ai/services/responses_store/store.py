"""Stored responses of one stage."""

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

from callmissed.aws.attributes import Item
from callmissed.aws.buckets import BucketUnavailable, LongBodies
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import SECOND, Clock
from callmissed.errors import service_unavailable
from callmissed.observability import get_logger
from callmissed.platform.tables import RESPONSES, RESPONSES_OF_TENANT
from callmissed_ai.services.responses_store.records import (
    Owner,
    StoredResponse,
    body_text,
    owner_of,
    packed,
    stored_response_of,
    to_response_item,
)

MAX_INLINE_BYTES = 100 * 1024
"""The maximum packed body that the item itself has: about 300 KB of conversation. DynamoDB accepts items of 400 KB."""

_PAGE = 100
_THREADED_BYTES = 64 * 1024
"""Bodies above this are packed and unpacked in a thread, so that other calls need not wait."""

_RESPONSE_ID = re.compile(r"resp_[0-9A-Za-z]{16,64}")
_logger = get_logger("inference")
T = TypeVar("T")


class ResponsesStore:
    """Stored responses. What has expired does not exist, though DynamoDB deletes it later."""

    def __init__(self, database: Database, long_bodies: LongBodies, clock: Clock) -> None:
        self._database = database
        self._long_bodies = long_bodies
        self._clock = clock

    async def put(self, stored: StoredResponse) -> None:
        """Store a response, a long one in S3 first. Safe to repeat. Raises DynamoError, BucketUnavailable."""
        text = body_text(stored)
        body: bytes | None = await _in_thread(len(text), lambda: packed(text))
        if len(body) > MAX_INLINE_BYTES:
            await self._long_bodies.keep(stored.response_id, body)
            body = None
        await self._database.put(RESPONSES, to_response_item(stored, body))

    async def read(self, response_id: str) -> StoredResponse | None:
        """The response, whoever owns it: what it has must not be used before `owner` is compared with the caller.

        One consistent read, and one of S3 for a long one; none for what is no id. Raises ApiError 503.
        """
        item = await self._item(response_id)
        if not item:
            return None
        body = await self._find(response_id) if item.get("in_s3") else item["body"]
        return await _in_thread(len(body), lambda: stored_response_of(item, body))

    async def find(self, owner: Owner, response_id: str) -> StoredResponse | None:
        """The response, if `owner` has it. Raises ApiError 503."""
        stored = await self.read(response_id)
        return stored if stored and stored.owner == owner else None

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
            deleted += sum(await asyncio.gather(*map(self._delete, page.items)))
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

    async def _find(self, response_id: str) -> bytes:
        try:
            return await self._long_bodies.find(response_id)
        except BucketUnavailable as error:
            _logger.exception("a long response could not be found")
            raise service_unavailable() from error

    async def _delete(self, item: Item) -> bool:
        """Delete the body in S3 first: a deletion that fails then can be repeated, because the item is still there."""
        if item.get("in_s3"):
            await self._long_bodies.remove(item["id"])
        return await self._database.delete_if(RESPONSES, {"id": item["id"]}, expected={"tenant": item["tenant"]})


async def _in_thread(size: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if size > _THREADED_BYTES else work()
