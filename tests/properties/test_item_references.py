"""References to items of stored responses: whoever sends them gets what would be there without them, or 404.

Owners store conversations, continue their own, delete responses, and lose all of them; storing may fail, whereupon
nobody can say what is stored of it. Checked with every request that names items instead of sending them: it is the
conversation that its owner would have sent whole, or the first item that is not the owner's is not found.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed_ai.calls.stored_call import StoredCall
from callmissed_ai.services.responses_store.records import JsonObject, Owner, StoredResponse, json_text
from callmissed_ai.services.responses_store.store import MAX_INLINE_BYTES, ResponsesStore
from local.aws.tables import StageTables
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.idempotency import MemoryAnswers
from tests.support.inference.stored_responses import assistant, reference, stored_response, user

FAULTS = (
    st.just(()) | st.just(()) | st.lists(st.sampled_from([None, Fault.LOSE_ANSWER, Fault.LOSE_REQUEST]), max_size=6)
)
NUMBERS = st.integers(0, 10**6)
OWNERS = st.integers(0, 2)
OFFSETS = st.sampled_from([0, 0, 0, 1, 2])
NOISE = random.Random(5).randbytes(MAX_INLINE_BYTES).hex()
"""Text that compression does not bring below the inline limit."""


@dataclass(frozen=True)
class Store:
    """A response that an owner stores, which continues the owner's conversation of that number, if it is not new."""

    owner: int
    new: bool
    number: int
    outputs: int
    long: bool
    faults: Sequence[Fault | None]


@dataclass(frozen=True)
class Delete:
    """The owner of the response of that number deletes it, or the one that stands so many after the owner."""

    owner: int
    number: int


@dataclass(frozen=True)
class DeleteAll:
    """All of the owner's tenant is deleted."""

    owner: int


@dataclass(frozen=True)
class Ask:
    """As `Delete`, but the conversation is sent; items whose bit is set are referred to."""

    owner: int
    number: int
    bits: int


STEPS = st.lists(
    st.builds(Store, OWNERS, st.booleans(), NUMBERS, st.integers(1, 3), st.integers(0, 5).map(lambda n: not n), FAULTS)
    | st.builds(Delete, OFFSETS, NUMBERS)
    | st.builds(DeleteAll, OWNERS)
    | st.builds(Ask, OFFSETS, NUMBERS, st.integers(1, 2**12 - 1))
    | st.builds(Ask, OFFSETS, NUMBERS, st.just(2**12 - 1)),
    min_size=4,
    max_size=20,
)


@dataclass
class Model:
    """What is stored: the writer of each item, by its id; and the responses of which nobody knows whether they are."""

    responses: ResponsesStore
    dynamodb: FaultyDynamoDB
    owners: Sequence[Owner]
    stored: list[StoredResponse] = field(default_factory=list[StoredResponse])
    deleted: set[str] = field(default_factory=set[str])
    doubted: set[str] = field(default_factory=set[str])
    writers: dict[str, StoredResponse] = field(default_factory=dict[str, StoredResponse])

    async def take(self, step: Store | Delete | DeleteAll | Ask) -> None:
        match step:
            case Store():
                await self._store(step, self.owners[step.owner])
            case DeleteAll():
                tenant = self.owners[step.owner].tenant
                await self.responses.delete_all(tenant)
                self.deleted |= {each.response_id for each in self.stored if each.owner.tenant == tenant}
            case Delete() | Ask() if self.stored:
                stored = self.stored[step.number % len(self.stored)]
                owner = self.owners[(self.owners.index(stored.owner) + step.owner) % 3]
                await (self._ask(owner, stored, step.bits) if isinstance(step, Ask) else self._delete(owner, stored))
            case _:
                pass

    async def _store(self, step: Store, owner: Owner) -> None:
        own = [each for each in self.stored if each.owner == owner]
        before = own[step.number % len(own)].conversation if own and not step.new else []
        asked = user(uuid4().hex + NOISE * step.long)
        written = [assistant(f"{number}") for number in range(step.outputs)]
        stored = stored_response(owner, given=[*before, asked], output=written)
        self.dynamodb.faults.extend(step.faults)
        try:
            await self.responses.put(stored)
        except DynamoError:
            self.doubted.add(stored.response_id)
        self.dynamodb.faults.clear()
        self.stored.append(stored)
        self.writers |= {item["id"]: stored for item in written}

    async def _delete(self, owner: Owner, stored: StoredResponse) -> None:
        deleted = await self.responses.delete(owner, stored.response_id)
        is_there = owner == stored.owner and stored.response_id not in self.deleted
        if stored.response_id not in self.doubted:
            assert deleted == is_there
        if deleted:
            self.deleted.add(stored.response_id)

    async def _ask(self, owner: Owner, stored: StoredResponse, bits: int) -> None:
        whole = stored.conversation
        places = [
            number for number, item in enumerate(whole) if item.get("role") == "assistant" and bits >> number % 12 & 1
        ]
        sent = [reference(item["id"]) if number in places else item for number, item in enumerate(whole)]
        body = {"model": "lab-chat", "input": sent}
        missing = [number for number in places if self._is_missing(whole[number], owner)]
        if any(self.writers[whole[number]["id"]].response_id in self.doubted for number in places):
            event("an item of a response that is stored or not")
            await self._asked(body, owner)
            return
        event("found" if not missing else "not found")
        assert await self._asked(body, owner) == (f"input.{missing[0]}.id" if missing else whole)

    def _is_missing(self, item: JsonObject, owner: Owner) -> bool:
        writer = self.writers[item["id"]]
        return writer.owner != owner or writer.response_id in self.deleted

    async def _asked(self, body: dict[str, Any], owner: Owner) -> str | Sequence[JsonObject]:
        """The input that the model gets; or the place that is not found."""
        call = await StoredCall.read(self.responses, body, len(json_text(body)))
        try:
            call.check_owner(owner)
        except ApiError as error:
            assert (error.status, error.code) == (404, "item_not_found")
            return error.param or ""
        joined = call.join()
        assert len(json_text(joined.body)) <= joined.size
        return joined.own


@given(steps=STEPS)
@pytest.mark.usefixtures("no_backoff")
def test_references_are_what_their_owner_stored(
    loop: asyncio.AbstractEventLoop, tables: StageTables, dynamodb: FaultyDynamoDB, steps: list[Any]
) -> None:
    one, other = f"tnt_{uuid4().hex}", f"tnt_{uuid4().hex}"
    responses = ResponsesStore(Database(dynamodb, tables.stage), MemoryAnswers(), system_clock)
    model = Model(responses, dynamodb, (Owner(one), Owner(other), Owner(one, sandboxed=True)))

    async def run() -> None:
        for step in steps:
            await model.take(step)

    loop.run_until_complete(run())
