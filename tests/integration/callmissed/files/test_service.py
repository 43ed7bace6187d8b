"""Files on real tables: what is counted, what is seen, what is gone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.files import service as service_module
from callmissed.files.allowance import stored_bytes
from callmissed.files.records import FileOwner, FileState, NewFile, StoredFile, new_record
from callmissed.files.repository import FileRecords, Listing
from callmissed.files.service import Files
from callmissed.ids import new_id
from callmissed.platform.tables import FILES, create_table_request
from tests.support.memory_files import MemoryFiles

NOON = Micros(1_795_780_800 * SECOND)
DAY = 24 * 60 * MINUTE
ROOM = 1_000
ABC = NewFile("abc.txt", "batch", 3)


@dataclass
class StoredFiles:
    """The files of one tenant, with a clock that a test moves."""

    files: Files
    storage: MemoryFiles
    database: Database
    owner: FileOwner
    now: Micros = NOON

    async def used(self) -> int:
        return await stored_bytes(self.database, self.owner.tenant)

    async def create(self, body: bytes = b"abc", purpose: str = "batch", owner: FileOwner | None = None) -> StoredFile:
        return await self.files.create(owner or self.owner, NewFile("abc.txt", purpose, len(body)), body, ROOM)

    async def names(self, limit: int = 100, **listing: object) -> list[str]:
        page = await self.files.page(self.owner, Listing(**listing), limit)  # pyright: ignore[reportArgumentType]
        return [file.file_id for file in page.files]

    async def sweep(self, later: int) -> int:
        self.now = Micros(self.now + later)
        return await self.files.sweep(self.now)

    async def record(self, file: StoredFile) -> StoredFile | None:
        return await FileRecords(self.database).read(file.owner, file.file_id)


@pytest.fixture
async def stored(dynamodb_endpoint: str) -> AsyncIterator[StoredFiles]:
    """The one table that files need, in a stage of its own: the sweep looks at all tenants."""
    dynamodb = DynamoDB("us-east-1", dynamodb_endpoint, timeout_seconds=20)
    database, storage = Database(dynamodb, new_id("test")), MemoryFiles()
    await dynamodb.call("CreateTable", create_table_request(database.stage, FILES))
    made = StoredFiles(Files(database, storage, lambda: made.now), storage, database, FileOwner(new_id("tnt")))
    yield made
    await dynamodb.close()


async def content(files: Files, file: StoredFile) -> bytes:
    return b"".join([chunk async for chunk in (await files.open(file.owner, file.file_id)).chunks()])


async def test_created_file_is_counted_and_read(stored: StoredFiles) -> None:
    file = await stored.create(b"some bytes")

    assert await stored.files.find(stored.owner, file.file_id) == file
    assert await content(stored.files, file) == b"some bytes"
    assert (await stored.used(), file.state) == (10, FileState.UPLOADED)


async def test_deleted_file_is_gone_and_counts_no_longer(stored: StoredFiles) -> None:
    file = await stored.create()

    await stored.files.delete(stored.owner, file.file_id)

    assert (await stored.used(), stored.storage.objects, await stored.record(file)) == (0, {}, None)
    for again in (stored.files.find, stored.files.delete, stored.files.open):
        with pytest.raises(ApiError, match="No such file") as refused:
            await again(stored.owner, file.file_id)
        assert (refused.value.status, refused.value.code) == (404, "file_not_found")


async def test_file_that_does_not_fit_is_refused_and_leaves_nothing(stored: StoredFiles) -> None:
    await stored.create(bytes(ROOM - 2))

    for size in (3, ROOM + 1):
        with pytest.raises(ApiError) as refused:
            await stored.create(bytes(size))
        assert (refused.value.status, refused.value.code) == (429, "quota_exceeded")

    assert await stored.used() == ROOM - 2
    assert len(stored.storage.objects) == len(await stored.names()) == 1
    await stored.create(b"ab")


async def test_other_owners_see_nothing(stored: StoredFiles) -> None:
    file = await stored.create()
    others = (FileOwner(new_id("tnt")), FileOwner(stored.owner.tenant, sandboxed=True))

    for other in others:
        with pytest.raises(ApiError, match="No such file"):
            await stored.files.find(other, file.file_id)
        with pytest.raises(ApiError, match="No such file"):
            await stored.files.delete(other, file.file_id)
        assert (await stored.files.page(other, Listing(), 10)).files == []
    sandboxed = await stored.create(owner=others[1])
    assert await stored.names() == [file.file_id]
    assert await stored.used() == 6
    assert (await stored.files.find(others[1], sandboxed.file_id)).size == 3


async def test_files_are_listed_page_by_page_in_both_orders(stored: StoredFiles) -> None:
    made: list[str] = []
    for number in range(5):
        stored.now = Micros(NOON + number * SECOND)
        made.append((await stored.create(purpose="audio" if number % 2 else "batch")).file_id)

    assert await stored.names() == made[::-1]
    assert await stored.names(newest_first=False) == made
    assert await stored.names(purposes={"audio"}) == [made[3], made[1]]
    assert await stored.names(purposes=()) == []
    page = await stored.files.page(stored.owner, Listing(after=made[3]), 2)
    assert ([file.file_id for file in page.files], page.has_more) == ([made[2], made[1]], True)
    page = await stored.files.page(stored.owner, Listing(after=made[1]), 2)
    assert ([file.file_id for file in page.files], page.has_more) == ([made[0]], False)


async def test_file_of_another_purpose_is_not_there(stored: StoredFiles) -> None:
    file = await stored.create(purpose="batch")

    with pytest.raises(ApiError, match="No such file"):
        await stored.files.open(stored.owner, file.file_id, {"audio"})


async def test_promised_file_is_usable_once_its_bytes_are_seen(stored: StoredFiles) -> None:
    file, form = await stored.files.promise(stored.owner, ABC, ROOM)
    assert (await stored.used(), form.fields["size"], form.fields["key"]) == (3, "3", file.object_name)

    assert (await stored.files.find(stored.owner, file.file_id)).state is FileState.PENDING
    with pytest.raises(ApiError) as refused:
        await stored.files.open(stored.owner, file.file_id)
    assert refused.value.code == "file_not_uploaded"
    stored.storage.objects[file.object_name] = b"four"
    assert (await stored.files.find(stored.owner, file.file_id)).state is FileState.PENDING, "another size"
    stored.storage.objects[file.object_name] = b"abc"

    page = await stored.files.page(stored.owner, Listing(), 10)
    assert [each.state for each in page.files] == [FileState.UPLOADED]
    assert await content(stored.files, file) == b"abc"
    stored.storage.objects[file.object_name] = b"ABC"
    assert await content(stored.files, file) == b"ABC", "the form was used again"


async def test_promise_that_never_comes_is_given_back_once(stored: StoredFiles) -> None:
    file, _ = await stored.files.promise(stored.owner, ABC, ROOM)
    assert await stored.sweep(59 * MINUTE) == 0

    assert await stored.sweep(2 * MINUTE) == 1

    assert (await stored.used(), await stored.names()) == (0, [])
    assert await stored.sweep(0) == 0, "its object may still come"
    stored.storage.objects[file.object_name] = b"abc"
    assert await stored.names() == []
    await stored.sweep(90 * MINUTE)
    assert (await stored.used(), stored.storage.objects, await stored.record(file)) == (0, {}, None)


async def test_promised_file_that_nobody_looked_at_is_kept(stored: StoredFiles) -> None:
    file, _ = await stored.files.promise(stored.owner, ABC, ROOM)
    stored.storage.objects[file.object_name] = b"abc"

    await stored.sweep(2 * 60 * MINUTE)

    assert (await stored.names(), await stored.used()) == ([file.file_id], 3)


async def test_expired_file_is_gone_at_once_and_given_back_once(stored: StoredFiles) -> None:
    file = await stored.files.create(stored.owner, NewFile("a", "batch", 3, lifetime_seconds=3600), b"abc", ROOM)
    opened = await stored.files.open(stored.owner, file.file_id)
    stored.now = Micros(NOON + 3600 * SECOND)

    with pytest.raises(ApiError, match="No such file"):
        await stored.files.find(stored.owner, file.file_id)
    with pytest.raises(ApiError, match="No such file"):
        await opened.check()
    assert (await stored.names(), await stored.used()) == ([], 3)
    await asyncio.gather(*(stored.files.sweep(stored.now) for _ in range(4)))
    assert (await stored.used(), stored.storage.objects, await stored.record(file)) == (0, {}, None)


async def test_file_that_is_deleted_while_it_is_read_ends_with_an_error(
    stored: StoredFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "PART_BYTES", 2)
    file = await stored.create(b"abcdef")
    opened = await stored.files.open(stored.owner, file.file_id)
    read: list[bytes] = []

    with pytest.raises(ApiError) as gone:
        async for chunk in opened.chunks():
            read.append(chunk)
            await FileRecords(stored.database).mark_deleted(file, stored.now)  # the object is still there

    assert (read, gone.value.status, gone.value.code) == ([b"ab"], 404, "file_not_found")
    with pytest.raises(ApiError, match="No such file"):
        await opened.check()


async def test_file_whose_object_goes_while_it_is_read_ends_with_an_error(stored: StoredFiles) -> None:
    file = await stored.create()
    opened = await stored.files.open(stored.owner, file.file_id)
    await stored.files.delete(stored.owner, file.file_id)

    with pytest.raises(ApiError) as gone:
        [chunk async for chunk in opened.chunks()]

    assert gone.value.code == "file_not_found"


async def test_file_whose_object_is_lost_is_an_outage(stored: StoredFiles) -> None:
    file = await stored.create()
    stored.storage.objects.clear()

    with pytest.raises(ApiError) as failed:
        await content(stored.files, file)

    assert failed.value.status == 503


@pytest.mark.parametrize("operation", ["put", "form"])
async def test_upload_that_fails_takes_nothing(stored: StoredFiles, operation: str) -> None:
    stored.storage.fails = lambda asked: asked == operation

    with pytest.raises(ApiError) as failed:
        await (stored.create() if operation == "put" else stored.files.promise(stored.owner, ABC, ROOM))

    assert failed.value.status == 503
    assert (await stored.used(), await stored.names()) == (0, [])


async def test_upload_that_fails_for_good_is_left_to_the_sweep(stored: StoredFiles) -> None:
    stored.storage.fails = lambda asked: asked in ("put", "remove")
    with pytest.raises(ApiError):
        await stored.create()
    assert (await stored.used(), await stored.names()) == (0, [])
    with pytest.raises(Exception, match="as the test says"):
        await stored.sweep(60 * MINUTE)

    stored.storage.fails = lambda _: False
    assert await stored.sweep(60 * MINUTE) == 1
    assert await stored.sweep(60 * MINUTE) == 0


async def test_all_files_of_a_tenant_are_deleted(stored: StoredFiles) -> None:
    await stored.create()
    await stored.create(owner=FileOwner(stored.owner.tenant, sandboxed=True))
    await stored.files.promise(stored.owner, ABC, ROOM)

    assert await stored.files.delete_all(stored.owner.tenant) == 3
    assert await stored.files.delete_all(stored.owner.tenant) == 0
    assert (await stored.used(), stored.storage.objects) == (0, {})


@pytest.mark.parametrize("promised", [False, True], ids=["direct", "promised"])
async def test_room_for_seven_takes_seven_of_many(stored: StoredFiles, promised: bool) -> None:
    new = NewFile("a", "batch", 10)

    async def upload() -> bool:
        try:
            if promised:
                await stored.files.promise(stored.owner, new, 79)
            else:
                await stored.files.create(stored.owner, new, bytes(10), 79)
        except ApiError as refused:
            assert refused.code == "quota_exceeded"
            return False
        return True

    assert sum(await asyncio.gather(*(upload() for _ in range(40)))) == 7
    assert await stored.used() == 70
    assert len(await stored.names()) == 7


async def test_many_deletions_give_the_bytes_back_once(stored: StoredFiles) -> None:
    kept, file = await stored.create(b"kept"), await stored.create(b"deleted")

    async def delete() -> bool:
        try:
            await stored.files.delete(stored.owner, file.file_id)
        except ApiError as refused:
            assert refused.code == "file_not_found"
            return False
        return True

    assert any(await asyncio.gather(*(delete() for _ in range(20))))
    assert (await stored.used(), await stored.names()) == (4, [kept.file_id])


async def test_upload_that_ends_after_its_deletion_brings_nothing_back(stored: StoredFiles) -> None:
    file, _ = await stored.files.promise(stored.owner, ABC, ROOM)
    records = FileRecords(stored.database)
    assert await records.mark_deleted(file, stored.now)

    assert await records.mark_uploaded(file, "etag") is None

    found = await stored.record(file)
    assert found and (found.state, found.generation) == (FileState.DELETED, file.generation + 1)
    assert await stored.used() == 0


async def test_tenant_that_is_deleted_while_an_upload_runs_keeps_nothing(
    stored: StoredFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = stored.storage.put

    async def put_before_the_deletion(name: str, body: bytes) -> str:
        etag = await put(name, body)
        await stored.files.delete_all(stored.owner.tenant)
        stored.storage.objects[name] = body  # as if the deletion had come before the bytes
        return etag

    monkeypatch.setattr(MemoryFiles, "put", lambda _self, name, body: put_before_the_deletion(name, body))

    with pytest.raises(ApiError) as failed:
        await stored.create()

    assert failed.value.status == 503
    assert (await stored.used(), await stored.names(), stored.storage.objects) == (0, [], {})


async def test_promise_whose_bytes_come_while_it_is_swept_is_kept(stored: StoredFiles) -> None:
    file, _ = await stored.files.promise(stored.owner, ABC, ROOM)
    records = FileRecords(stored.database)
    assert await records.mark_uploaded(file, "etag")

    assert not await records.mark_deleted(file, stored.now, only=FileState.PENDING)

    assert (await stored.used(), await stored.names()) == (3, [file.file_id])


async def test_record_of_a_file_that_is_there_is_not_removed(stored: StoredFiles) -> None:
    file = await stored.create()

    await FileRecords(stored.database).remove(file)

    assert await stored.record(file) == file


async def test_file_that_is_due_no_longer_is_not_swept(stored: StoredFiles) -> None:
    """The index shows what was due when it was asked; the record says what is due now."""
    records = FileRecords(stored.database)
    promises = [new_record(stored.owner, ABC, stored.now, promised=True) for _ in range(2)]
    first, second = [replace(file, file_id=f"{file.file_id[:-1]}0") for file in promises]  # in one shard
    for file in (first, second):
        await records.add(file, ROOM)
    due = aiter(records.due(second.due))
    seen = await anext(due)
    other = second if seen.file_id == first.file_id else first

    assert await records.mark_uploaded(other, "etag")

    assert [file.file_id async for file in due] == []


async def test_record_is_written_once(stored: StoredFiles) -> None:
    file = await stored.create()

    with pytest.raises(ApiError):
        await FileRecords(stored.database).add(replace(file, filename="another"), ROOM)

    assert (await stored.used(), await stored.record(file)) == (3, file)
