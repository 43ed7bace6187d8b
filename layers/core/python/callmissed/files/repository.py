"""Records of files in the table, and the changes of their states, each with what it does to the allowance."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import to_item as to_attributes
from callmissed.aws.comparisons import Comparison, at_most, begins_with, one_of
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, TransactionCanceled
from callmissed.aws.operations import put_new_operation, update_operation
from callmissed.clock import Micros
from callmissed.files.allowance import give_bytes_back, storage_exceeded, take_bytes
from callmissed.files.records import (
    SHARDS,
    FileOwner,
    FileState,
    StoredFile,
    due_text,
    file_key,
    file_of,
    gone_by,
    to_item,
)
from callmissed.platform.tables import FILES, FILES_DUE

_COUNTED = one_of(str(FileState.PENDING), str(FileState.UPLOADED))
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """Which files of an owner, and in which order. `purposes` are all without a filter."""

    purposes: Collection[str] | None = None
    newest_first: bool = True
    after: str = ""


class FileRecords:
    """The records of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: StoredFile, max_bytes: int) -> None:
        """Write a new record and count its bytes, or do neither. Raises ApiError 429."""
        taken = take_bytes(file.owner.tenant, file.size, max_bytes)
        try:
            await self._database.transact([taken, put_new_operation(FILES, to_item(file))])
        except TransactionCanceled:
            raise storage_exceeded(max_bytes) from None

    async def read(self, owner: FileOwner, file_id: str) -> StoredFile | None:
        """The record, whatever its state."""
        item = await self._database.get(FILES, file_key(owner, file_id))
        return file_of(item) if item else None

    async def mark_uploaded(self, file: StoredFile, etag: str) -> StoredFile | None:
        """The record with its bytes there; None if the file is deleted. Safe to repeat."""
        uploaded = {"due": due_text(file.expires), "state": str(FileState.UPLOADED), "etag": etag}
        try:
            item = await self._database.update(
                FILES, file.key, set=uploaded, expected={"state": str(FileState.PENDING)}
            )
        except ConditionFailed as refused:
            item = refused.item  # as an earlier try, or another reader of the file, may have left it
        return file_of(item) if item and item["state"] == FileState.UPLOADED else None

    async def mark_deleted(self, file: StoredFile, now: Micros, *, only: FileState | None = None) -> bool:
        """Take the bytes off the allowance, once; False if that is done already.

        The item stays, so that the object is deleted even if this process dies. With `only`, a file that has left
        that state meanwhile stays.
        """
        expected = {"state": str(only) if only else _COUNTED}
        deleted = update_operation(
            FILES,
            file.key,
            set={"state": str(FileState.DELETED), "due": due_text(gone_by(file, now))},
            add={"generation": 1},
            expected=expected,
        )
        try:
            await self._database.transact([deleted, give_bytes_back(file.owner.tenant, file.size)])
        except TransactionCanceled:
            return False
        return True

    async def remove(self, file: StoredFile) -> None:
        """Remove the item of a deleted file, whose object is gone for good."""
        await self._database.delete_if(FILES, file.key, expected={"state": str(FileState.DELETED)})

    async def listed(self, owner: FileOwner, listing: Listing) -> AsyncIterator[StoredFile]:
        """The owner's files after `listing.after`, whatever their state but deleted."""
        where: dict[str, str | Comparison] = {"state": _COUNTED}
        if listing.purposes is not None:
            if not listing.purposes:
                return
            where["purpose"] = one_of(*sorted(listing.purposes))
        start: Any = to_attributes(file_key(owner, listing.after)) if listing.after else None
        while True:
            page = await self._database.page(
                FILES,
                owner.tenant,
                start=start,
                sort=begins_with(f"{owner.prefix}file-"),
                newest_first=listing.newest_first,
                where=where,
                consistent=True,
                limit=_PAGE,
            )
            for item in page.items:
                yield file_of(item)
            start = page.next
            if start is None:
                return

    async def due(self, now: Micros) -> AsyncIterator[StoredFile]:
        """Files that are due at `now`, as the table has them: the index lags behind."""
        for shard in range(SHARDS):
            async for shown in self._database.query(
                FILES, str(shard), index=FILES_DUE, sort=at_most(due_text(now)), limit=_PAGE
            ):
                item = await self._database.get(FILES, {name: shown[name] for name in ("tenant", "item")})
                if item and item["due"] <= due_text(now):
                    yield file_of(item)

    async def all_of(self, tenant: str) -> AsyncIterator[StoredFile]:
        """Every record of the tenant, live and sandboxed, whatever its state."""
        for sandboxed in (False, True):
            prefix = FileOwner(tenant, sandboxed).prefix
            async for item in self._database.query(FILES, tenant, sort=begins_with(f"{prefix}file-"), consistent=True):
                yield file_of(item)
