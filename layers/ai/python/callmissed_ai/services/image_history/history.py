"""The images of one stage, by the key that asked for them. What has expired does not exist."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from callmissed.aws.buckets import BucketUnavailable
from callmissed.aws.comparisons import below
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError, Unavailable
from callmissed.clock import SECOND, Clock, Micros
from callmissed.errors import service_unavailable
from callmissed.observability import count, get_logger
from callmissed.platform.tables import IMAGES
from callmissed_ai.dialects.openai_images.reply import DrawnImage
from callmissed_ai.services.image_history.records import ImageRecord, image_record_of, sort_key, to_image_item

URL_SECONDS = 3600
"""So long an image's URL works."""

_MAX_KEEP_SECONDS = 20.0
"""Time for storing the images of one call, so that API Gateway cuts no call."""

_MAX_TRIES = 50
"""Images of one key that may have the same moment: each comes a microsecond later."""

_ENDINGS: Mapping[str, str] = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
_logger = get_logger("inference")


class ImageObjects(Protocol):
    """Where the bytes of images are: `callmissed.aws.buckets.Bucket`."""

    async def keep(self, name: str, body: bytes, media_type: str = "") -> None:
        """Store `body`. Raises BucketUnavailable."""
        ...

    async def url(self, name: str, media_type: str, seconds: int) -> str:
        """A URL of the object for so many seconds. Raises BucketUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some records of a key with the URL of each, the newest first; `before` starts the next page, if there is one."""

    records: Sequence[tuple[ImageRecord, str]]
    before: Micros | None


class ImageHistory:
    """Images that were drawn."""

    def __init__(self, database: Database, objects: ImageObjects, clock: Clock) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock

    async def upload(self, records: Sequence[ImageRecord], images: Sequence[DrawnImage]) -> None:
        """Store the bytes of the `images`, side by side. Raises BucketUnavailable."""
        pairs = zip(records, images, strict=True)
        await _all(self._objects.keep(each.object, image.data, each.media_type) for each, image in pairs)

    async def urls(self, records: Sequence[ImageRecord]) -> Sequence[str]:
        """A URL for each of `records`, for an hour. Raises BucketUnavailable."""
        return await asyncio.gather(*(self._objects.url(each.object, each.media_type, URL_SECONDS) for each in records))

    async def keep(self, records: Sequence[ImageRecord], images: Sequence[DrawnImage] = ()) -> None:
        """Store the `images` that are not yet, then their `records`.

        A failure is logged and counted: the images are paid for and leave, and the history lacks them.
        """
        try:
            async with asyncio.timeout(_MAX_KEEP_SECONDS):
                if images:
                    await self.upload(records, images)
                await _all(map(self._put, records))
        except (DynamoError, BucketUnavailable, TimeoutError):
            _logger.exception("images are not in the history", extra={"image": records[0].image_id})
            count("ImageNotStored")

    async def page(self, key: str, limit: int, before: Micros | None) -> HistoryPage:
        """At most `limit` images of `key`, the newest first, those before the moment alone. Raises ApiError 503."""
        start = Micros(self._clock() + SECOND * URL_SECONDS) if before is None else before
        try:
            page = await self._database.page(
                IMAGES, key, sort=below(sort_key(start)), newest_first=True, limit=limit, consistent=True
            )
            now = self._clock() // SECOND
            records = [image_record_of(item) for item in page.items if item["ttl"] > now]
            urls = await self.urls(records)
        except (Unavailable, BucketUnavailable) as error:
            raise service_unavailable() from error
        more = page.next is not None and len(records) == len(page.items)
        return HistoryPage(list(zip(records, urls, strict=True)), records[-1].created if more else None)

    async def _put(self, record: ImageRecord) -> None:
        """Write the record, at the first moment from its own on that the key has no other image of."""
        for later in range(_MAX_TRIES):
            moved = replace(record, created=Micros(record.created + later))
            if not await self._database.put_new(IMAGES, to_image_item(moved)):
                return
        raise Unavailable("no moment is free", indeterminate=False)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of `work` side by side; a single piece begins at once, without a turn of the event loop."""
    first, *others = work
    if others:
        await asyncio.gather(first, *others)
    else:
        await first


def object_name(tenant: str, key: str, image_id: str, media_type: str) -> str:
    """Name of an image in S3."""
    return f"{tenant}/{key}/{image_id}.{_ENDINGS[media_type]}"
