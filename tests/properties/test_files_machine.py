"""The life of a tenant's files as a state machine: uploads, promises, deletions, expiries, sweeps, faults, crashes.

The counter is the sum of what the records hold at every moment, never above the plan's room, and zero in the end. What
has been deleted or has expired is never seen again. How to repeat a run: conftest.py.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from callmissed.aws.buckets import BucketUnavailable
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.files.allowance import stored_bytes
from callmissed.files.records import FileOwner, FileState, NewFile, StoredFile, file_of
from callmissed.files.repository import Listing
from callmissed.files.service import Files
from callmissed.ids import new_id
from callmissed.platform.tables import FILES, create_table_request
from tests.support.faults import FAULTS, Crash, Fault, FaultyDynamoDB
from tests.support.memory_files import MemoryFiles

START = Micros(1_795_780_800 * SECOND)
ROOM = 50
SIZES = st.sampled_from([1, 7, 20, 50, 51])
WAITS = st.sampled_from([0, 1, 16, 50, 61, 130]).map(lambda minutes: minutes * MINUTE)
LIFETIMES = st.sampled_from([3600, 7200, 86_400])
CHOICES = st.sampled_from([0, 1, 2, 3, 5, 8])
DEADLY = {Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.DIE_IN_FLIGHT}
STORAGE = st.sampled_from([None, None, None, "put", "head", "remove", "form"])
T = TypeVar("T")


class FilesMachine(RuleBasedStateMachine):
    """One tenant. `made` are the files that callers got to know, `gone` those that were deleted before their eyes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, endpoint: str, stage: str, dynamodb: FaultyDynamoDB) -> None:
        super().__init__()
        self.loop, self.dynamodb = loop, dynamodb
        self.plain = DynamoDB("us-east-1", endpoint, timeout_seconds=30.0)
        self.database = Database(self.plain, stage)
        self.storage = MemoryFiles()
        self.now = START
        self.files = Files(Database(dynamodb, stage), self.storage, lambda: self.now)
        self.calm = Files(self.database, self.storage, lambda: self.now)
        self.owner = FileOwner(new_id("tnt"))
        self.made: list[StoredFile] = []
        self.gone: set[str] = set()

    @rule(size=SIZES, lifetime=LIFETIMES, faults=FAULTS, broken=STORAGE)
    def create(self, size: int, lifetime: int, faults: list[Fault | None], broken: str | None) -> None:
        new = NewFile("a", "batch", size, lifetime)
        made = self.attempt(self.files.create(self.owner, new, bytes(size), ROOM), faults, broken)
        if isinstance(made, StoredFile):
            self.made.append(made)

    @rule(size=SIZES, lifetime=LIFETIMES, faults=FAULTS, broken=STORAGE)
    def promise(self, size: int, lifetime: int, faults: list[Fault | None], broken: str | None) -> None:
        new = NewFile("a", "batch", size, lifetime)
        made = self.attempt(self.files.promise(self.owner, new, ROOM), faults, broken)
        if isinstance(made, tuple):
            self.made.append(made[0])

    @rule(choice=CHOICES)
    def upload(self, choice: int) -> None:
        """Use a file's form, also for one that is deleted: S3 knows of the form's end and size alone."""
        file = self.chosen(choice)
        if file and file.promised and self.now < file.form_ends:
            self.storage.objects[file.object_name] = bytes(file.size)

    @rule(choice=CHOICES, faults=FAULTS, broken=STORAGE)
    def delete(self, choice: int, faults: list[Fault | None], broken: str | None) -> None:
        file = self.chosen(choice)
        if file and self.attempt(self.files.delete(self.owner, file.file_id), faults, broken) is None:
            self.gone.add(file.file_id)

    @rule(choice=CHOICES, faults=FAULTS)
    def find(self, choice: int, faults: list[Fault | None]) -> None:
        file = self.chosen(choice)
        if file:
            found = self.attempt(self.files.find(self.owner, file.file_id), faults, None)
            assert not isinstance(found, StoredFile) or file.file_id not in self.gone
            assert not isinstance(found, StoredFile) or self.now < found.expires

    @rule(wait=WAITS, faults=FAULTS, broken=STORAGE)
    def sweep(self, wait: int, faults: list[Fault | None], broken: str | None) -> None:
        self.now = Micros(self.now + wait)
        self.attempt(self.files.sweep(self.now), faults, broken)

    @rule(index=CHOICES)
    def deliver_late(self, index: int) -> None:
        if self.dynamodb.late:
            self.run(self.dynamodb.deliver_late(index))

    @invariant()
    def counter_is_the_sum_of_the_records(self) -> None:
        counted = sum(file.size for file in self.records() if file.state is not FileState.DELETED)
        assert self.run(stored_bytes(self.database, self.owner.tenant)) == counted <= ROOM

    @invariant()
    def listed_files_are_known_and_alive(self) -> None:
        page = self.run(self.calm.page(self.owner, Listing(), 100))
        listed = {file.file_id for file in page.files if file.state is FileState.UPLOADED}
        assert not listed & self.gone
        for file in page.files:
            assert self.now < file.expires or file.state is FileState.PENDING
            assert file.state is FileState.PENDING or len(self.storage.objects[file.object_name]) == file.size

    def teardown(self) -> None:
        """After a month everything is gone, whatever happened, and given back."""
        self.dynamodb.forget()
        for _ in range(3):
            self.now = Micros(self.now + 31 * 24 * 60 * MINUTE)
            self.run(self.calm.sweep(self.now))
        assert (self.records(), self.storage.objects) == ([], {})
        assert self.run(stored_bytes(self.database, self.owner.tenant)) == 0
        self.run(self.plain.close())

    def attempt(self, work: Coroutine[Any, Any, T], faults: list[Fault | None], broken: str | None) -> T | str:
        """Result of `work` under faults, or how it failed. A process that dies does nothing afterwards."""
        deadly = next((index for index, fault in enumerate(faults) if fault in DEADLY), None)
        fates = faults if deadly is None else [*faults[: deadly + 1], *[Fault.DIE_BEFORE] * 40]
        self.dynamodb.faults.extend(fates)
        self.storage.fails = lambda operation: operation == broken
        try:
            outcome: T | str = self.run(work)
        except ApiError as refused:
            outcome = refused.code
        except (Unavailable, BucketUnavailable, Crash):
            outcome = "no answer"
        finally:
            self.dynamodb.faults.clear()
            self.storage.fails = lambda _: False
        event(outcome if isinstance(outcome, str) else "done")
        return outcome

    def chosen(self, choice: int) -> StoredFile | None:
        return self.made[-1 - choice % len(self.made)] if self.made else None

    def records(self) -> list[StoredFile]:
        return self.run(self._records())

    async def _records(self) -> list[StoredFile]:
        found = self.database.query(FILES, self.owner.tenant, consistent=True)
        return [file_of(item) async for item in found if item["item"] != "allowance"]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


def test_allowance_is_exact_under_faults(
    loop: asyncio.AbstractEventLoop, dynamodb_endpoint: str, dynamodb: FaultyDynamoDB
) -> None:
    stage = new_id("test")
    loop.run_until_complete(dynamodb.call("CreateTable", create_table_request(stage, FILES)))
    machine: Any = partial(FilesMachine, loop, dynamodb_endpoint, stage, dynamodb)
    profile = settings.get_profile(settings.get_current_profile_name())
    few = settings(profile, max_examples=profile.max_examples // 16)
    run_state_machine_as_test(machine, settings=few)
