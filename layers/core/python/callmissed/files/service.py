"""What callers and other services do with a tenant's files.

Creating takes the bytes from the allowance first, then stores them, then shows the file. A process that dies on the way
leaves a record that nobody sees, and the sweep gives its bytes back.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from callmissed.aws.buckets import BucketUnavailable
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError, Unavailable
from callmissed.clock import Clock, Micros
from callmissed.errors import ApiError, invalid_request, service_unavailable
from callmissed.files.records import (
    FORM_SECONDS,
    FileOwner,
    FileState,
    NewFile,
    StoredFile,
    gone_by,
    is_file_id,
    new_record,
)
from callmissed.files.repository import FileRecords, Listing
from callmissed.files.storage import FileStorage, ObjectMissing, UploadForm
from callmissed.observability import get_logger

PART_BYTES = 4 * 1024 * 1024
"""Bytes that are read at a time, and so the memory that reading a file of any size takes."""

_HEADS_AT_ONCE = 8
_logger = get_logger("files")


@dataclass(frozen=True, slots=True)
class FilePage:
    """Some of an owner's files, and whether there are more."""

    files: list[StoredFile]
    has_more: bool


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is being read. Deleting it, or its expiry, ends the reading with an error."""

    file: StoredFile
    _files: "Files"

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.file.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, at most PART_BYTES at a time. Raises ApiError 404 once the file is gone, 503."""
        for start in range(0, self.size, PART_BYTES):
            yield await self._files.part(self.file, start, min(start + PART_BYTES, self.size))

    async def check(self) -> None:
        """Raises ApiError 404 if the file was deleted or has expired since it was opened, 503."""
        await self._files.check(self.file)


class Files:
    """Files of one stage. Every method raises ApiError 503 when DynamoDB or S3 does not answer."""

    def __init__(self, database: Database, storage: FileStorage, clock: Clock) -> None:
        self._records = FileRecords(database)
        self._storage = storage
        self._clock = clock

    async def create(self, owner: FileOwner, new: NewFile, body: bytes, max_bytes: int) -> StoredFile:
        """Store a file, if the plan's `max_bytes` have room for it. Raises ApiError 429."""
        async with _available():
            file = await self._added(owner, new, max_bytes, promised=False)
            try:
                etag = await self._storage.put(file.object_name, body)
                stored = await self._records.mark_uploaded(file, etag)
            except BaseException:
                await self._take_back(file)
                raise
            if stored is None:
                await self._storage.remove(file.object_name)  # the whole tenant was deleted meanwhile
                raise service_unavailable()
        return stored

    async def promise(self, owner: FileOwner, new: NewFile, max_bytes: int) -> tuple[StoredFile, UploadForm]:
        """A file that is to come, and the form that uploads it. Raises ApiError 429."""
        async with _available():
            file = await self._added(owner, new, max_bytes, promised=True)
            try:
                return file, await self._storage.form(file.object_name, file.size, FORM_SECONDS)
            except BaseException:
                await self._take_back(file)
                raise

    async def find(self, owner: FileOwner, file_id: str, purposes: Collection[str] | None = None) -> StoredFile:
        """The file, uploaded or still awaited. Raises ApiError 404 for others', and for other purposes."""
        if not is_file_id(file_id):
            raise file_not_found(file_id)
        async with _available():
            file = await self._records.read(owner, file_id)
            file = file and await self._seen(file)
        if file is None or (purposes is not None and file.purpose not in purposes):
            raise file_not_found(file_id)
        return file

    async def open(self, owner: FileOwner, file_id: str, purposes: Collection[str] | None = None) -> OpenFile:
        """The file for reading. Raises ApiError 404, and 400 for one that is still awaited."""
        file = await self.find(owner, file_id, purposes)
        if file.state is not FileState.UPLOADED:
            raise invalid_request(f"The file '{file_id}' is not uploaded yet.", "file_id", "file_not_uploaded")
        return OpenFile(await self._as_it_is(file) if file.promised else file, self)

    async def _as_it_is(self, file: StoredFile) -> StoredFile:
        """A promised file with the etag of its bytes: until its form ends, they can be uploaded again."""
        async with _available():
            found = await self._storage.head(file.object_name)
        if found is None or found.size != file.size:
            raise file_not_found(file.file_id)
        return replace(file, etag=found.etag)

    async def page(self, owner: FileOwner, listing: Listing, limit: int) -> FilePage:
        """At most `limit` of the owner's files, uploaded or still awaited."""
        found: list[StoredFile] = []
        async with _available():
            async for batch in self._batches(owner, listing, limit + 1):
                found += [file for file in batch if file]
                if len(found) > limit:
                    break
        return FilePage(found[:limit], len(found) > limit)

    async def delete(self, owner: FileOwner, file_id: str, purposes: Collection[str] | None = None) -> None:
        """Delete the file; its bytes count no longer. Raises ApiError 404."""
        file = await self.find(owner, file_id, purposes)
        async with _available():
            await self._delete(file)

    async def discard(self, file: StoredFile) -> None:
        """Delete a file that its maker never got to know. Raises nothing: what is left, expires."""
        await self._take_back(file)

    async def delete_all(self, tenant: str) -> int:
        """Delete every file of `tenant`, and its bytes; returns how many there were. Safe to repeat."""
        deleted = 0
        async with _available():
            async for file in self._records.all_of(tenant):
                deleted += file.state is not FileState.DELETED
                await self._delete(file)
        return deleted

    async def link(self, file: StoredFile, disposition: str) -> str:
        """A URL that reads the file for a few minutes."""
        async with _available():
            return await self._storage.link(file.object_name, disposition)

    async def part(self, file: StoredFile, start: int, end: int) -> bytes:
        """Bytes of an open file. Raises ApiError 404 once it is gone."""
        async with _available():
            if start:
                await self.check(file)
            try:
                return await self._storage.read(file.object_name, file.etag, start, end)
            except ObjectMissing:
                await self.check(file)
                raise

    async def check(self, file: StoredFile) -> None:
        """Raises ApiError 404 unless the file is as it was when it was opened."""
        async with _available():
            found = await self._records.read(file.owner, file.file_id)
        if found is None or found.generation != file.generation or not found.is_readable(self._clock()):
            raise file_not_found(file.file_id)

    async def sweep(self, now: Micros) -> int:
        """Look at every file that is due at `now`; returns how many. Safe to run twice in parallel.

        What has expired or never came is deleted, what came late is not, and objects of deleted files go. One that
        can't be looked at does not delay the others; the failure is raised at the end.
        """
        looked, failure = 0, None
        async for file in self._records.due(now):
            looked += 1
            try:
                await self._settle(file, now)
            except (DynamoError, BucketUnavailable) as error:
                failure = error
        if failure:
            raise failure
        return looked

    async def _settle(self, file: StoredFile, now: Micros) -> None:
        if file.state is FileState.PENDING and file.promised and await self._arrived(file):
            return
        await self._delete(file, only=file.state)

    async def _added(self, owner: FileOwner, new: NewFile, max_bytes: int, *, promised: bool) -> StoredFile:
        file = new_record(owner, new, self._clock(), promised=promised)
        try:
            await self._records.add(file, max_bytes)
        except Unavailable as error:
            if error.indeterminate:
                await self._take_back(file)
            raise
        return file

    async def _take_back(self, file: StoredFile) -> None:
        """Undo an upload that failed; what can't be undone now, the sweep undoes."""
        try:
            await asyncio.shield(self._delete(file))
        except (DynamoError, BucketUnavailable):
            _logger.warning("a failed upload is left to the sweep", exc_info=True)

    async def _seen(self, file: StoredFile) -> StoredFile | None:
        """The file if callers may see it: uploaded, also if that shows only now, or awaited."""
        now = self._clock()
        if file.is_awaited(now):
            return await self._arrived(file) or file
        return file if file.is_readable(now) else None

    async def _arrived(self, file: StoredFile) -> StoredFile | None:
        """The promised file as uploaded, if its bytes are there."""
        found = await self._storage.head(file.object_name)
        if found is None or found.size != file.size:
            return None
        return await self._records.mark_uploaded(file, found.etag)

    async def _batches(self, owner: FileOwner, listing: Listing, size: int) -> AsyncIterator[list[StoredFile | None]]:
        batch: list[StoredFile] = []
        async for file in self._records.listed(owner, listing):
            batch.append(file)
            if len(batch) == size:
                yield await self._all_seen(batch)
                batch = []
        yield await self._all_seen(batch)

    async def _all_seen(self, files: list[StoredFile]) -> list[StoredFile | None]:
        gate = asyncio.Semaphore(_HEADS_AT_ONCE)

        async def seen(file: StoredFile) -> StoredFile | None:
            async with gate:
                return await self._seen(file)

        return await asyncio.gather(*map(seen, files))

    async def _delete(self, file: StoredFile, *, only: FileState | None = None) -> None:
        """Delete record, then object, then what is left of the record: each step is safe to repeat."""
        now = self._clock()
        if file.state is not FileState.DELETED and not await self._records.mark_deleted(file, now, only=only):
            found = await self._records.read(file.owner, file.file_id)
            if found is None or found.state is not FileState.DELETED:
                return
            file = found
        await self._storage.remove(file.object_name)
        if gone_by(file, now) <= now:
            await self._records.remove(file)


def file_not_found(file_id: str) -> ApiError:
    """404: no such file of the caller's, or no longer."""
    shown = file_id[:80].encode(errors="replace").decode()
    return ApiError(404, "file_not_found", f"No such file: '{shown}'.", param="file_id")


@asynccontextmanager
async def _available() -> AsyncGenerator[None]:
    """Turns an outage of DynamoDB or S3 into ApiError 503."""
    try:
        yield
    except (Unavailable, BucketUnavailable) as error:
        _logger.warning("files are unavailable", exc_info=True)
        raise service_unavailable() from error
