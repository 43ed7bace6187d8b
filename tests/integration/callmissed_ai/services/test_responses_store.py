"""Stored responses: what is found, by whom, for how long, and what a deletion leaves."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from callmissed.aws.attributes import from_item
from callmissed.aws.buckets import BucketUnavailable
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError
from callmissed.platform.tables import RESPONSES, physical_name
from callmissed_ai.services.responses_store.records import RETENTION_SECONDS, Owner, StoredResponse, is_pointer
from callmissed_ai.services.responses_store.store import MAX_INLINE_BYTES, MAX_REFERENCES, FoundItem, ResponsesStore
from local.aws.tables import StageTables
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.idempotency import ManualClock, MemoryAnswers
from tests.support.inference.stored_responses import assistant, stored_response, user

OWNER = Owner("tnt_a")
STRANGERS = (Owner("tnt_b"), Owner("tnt_a", sandboxed=True))
NOISE = random.Random(5).randbytes(MAX_INLINE_BYTES).hex()
"""Text that compression does not bring below the inline limit."""


@dataclass
class FreshStore:
    """The store of fresh tables, its clock, and S3 in memory."""

    responses: ResponsesStore
    clock: ManualClock
    bodies: MemoryAnswers
    dynamodb: FaultyDynamoDB
    table: str

    async def items(self) -> list[dict[str, Any]]:
        answer = await self.dynamodb.call("Scan", {"TableName": self.table, "ConsistentRead": True})
        return [from_item(item) for item in answer["Items"]]

    async def reads(self, ids: Sequence[str]) -> int:
        """How many reads find all items of these ids."""
        self.dynamodb.sent.clear()
        assert set(await self.responses.find_items(ids)) == set(ids)
        return self.dynamodb.sent["BatchGetItem"]

    async def put(self, **fields: Any) -> StoredResponse:
        stored = stored_response(fields.pop("owner", OWNER), created=self.clock.now, **fields)
        await self.responses.put(stored)
        return stored


@pytest_asyncio.fixture
async def stage(tables: StageTables) -> AsyncIterator[FreshStore]:
    dynamodb, clock, bodies = FaultyDynamoDB(tables.endpoint), ManualClock(), MemoryAnswers()
    responses = ResponsesStore(Database(dynamodb, tables.stage), bodies, clock)
    yield FreshStore(responses, clock, bodies, dynamodb, physical_name(tables.stage, RESPONSES))
    await dynamodb.close()


def written(stored: StoredResponse) -> str:
    """Id of the first item that the response has written."""
    return stored.response["output"][0]["id"]


LONG = pytest.mark.parametrize("text", ["short", NOISE], ids=["inline", "in S3"])


@LONG
async def test_a_response_comes_back_as_it_was(stage: FreshStore, text: str) -> None:
    stored = await stage.put(given=[user(text)], earlier=[user("before"), assistant("yes")])

    assert await stage.responses.read(stored.response_id) == stored
    assert await stage.responses.find(OWNER, stored.response_id) == stored
    assert bool(stage.bodies.stored) is (text is NOISE)


async def test_a_long_conversation_compresses_into_its_item(stage: FreshStore) -> None:
    stored = await stage.put(given=[user("A word or two about the weather in Pune. ")] * 5_000)

    assert await stage.responses.read(stored.response_id) == stored
    assert not stage.bodies.stored


async def test_half_a_surrogate_pair_comes_back(stage: FreshStore) -> None:
    stored = await stage.put(output=[assistant("an emoji cut in two: \ud83d")])

    assert await stage.responses.read(stored.response_id) == stored


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
async def test_nobody_else_finds_or_deletes_a_response(stage: FreshStore, stranger: Owner) -> None:
    stored = await stage.put()

    assert await stage.responses.find(stranger, stored.response_id) is None
    assert not await stage.responses.delete(stranger, stored.response_id)
    assert await stage.responses.find(OWNER, stored.response_id) == stored


@LONG
async def test_a_deleted_response_is_gone_with_its_body(stage: FreshStore, text: str) -> None:
    stored = await stage.put(given=[user(text)])

    assert await stage.responses.delete(OWNER, stored.response_id)

    assert await stage.responses.read(stored.response_id) is None
    assert not await stage.responses.delete(OWNER, stored.response_id)
    assert (await stage.items(), stage.bodies.stored) == ([], {})


async def test_a_response_is_found_for_thirty_days(stage: FreshStore) -> None:
    stored = await stage.put()
    stage.clock.advance(RETENTION_SECONDS - 1)
    assert await stage.responses.read(stored.response_id) == stored

    stage.clock.advance(1)

    assert await stage.responses.read(stored.response_id) is None
    assert await stage.responses.find(OWNER, stored.response_id) is None
    assert not await stage.responses.delete(OWNER, stored.response_id)
    items = await stage.items()
    assert {item["id"].removeprefix("item#") for item in items} == {
        stored.response_id,
        stored.response["output"][0]["id"],
    }
    assert {item["ttl"] for item in items} == {stored.created // 1_000_000 + RETENTION_SECONDS}


@pytest_asyncio.fixture
async def unreachable() -> AsyncIterator[ResponsesStore]:
    dynamodb = FaultyDynamoDB("http://127.0.0.1:9")
    yield ResponsesStore(Database(dynamodb, "test"), MemoryAnswers(), ManualClock())
    await dynamodb.close()


@pytest.mark.parametrize(
    "garbage", ["", "resp_", "resp_é" * 8, "x" * 5_000, "resp_\0" * 4, "msg_" + "0" * 24, "../" * 9], ids=ascii
)
async def test_what_is_no_id_is_asked_of_no_table(unreachable: ResponsesStore, garbage: str) -> None:
    assert await unreachable.read(garbage) is None
    assert not await unreachable.delete(OWNER, garbage)


async def test_a_response_whose_body_is_not_given_is_503(stage: FreshStore) -> None:
    stored = await stage.put(given=[user(NOISE)])
    stage.bodies.unavailable = True

    for asked in (stage.responses.read(stored.response_id), stage.responses.delete(OWNER, stored.response_id)):
        with pytest.raises(ApiError) as refused:
            await asked
        assert refused.value.status == 503
    stage.bodies.unavailable = False
    assert await stage.responses.delete(OWNER, stored.response_id)


async def test_a_long_response_that_s3_does_not_take_is_not_stored(stage: FreshStore) -> None:
    stage.bodies.unavailable = True

    with pytest.raises(BucketUnavailable):
        await stage.put(given=[user(NOISE)])

    assert await stage.items() == []


async def test_a_table_that_does_not_answer_is_503_or_unavailable(unreachable: ResponsesStore) -> None:
    stored = stored_response(OWNER)

    with pytest.raises(Unavailable):
        await unreachable.put(stored)
    with pytest.raises(ApiError) as refused:
        await unreachable.read(stored.response_id)
    assert refused.value.status == 503


async def test_all_responses_of_a_tenant_are_deleted_and_no_others(stage: FreshStore) -> None:
    others = [await stage.put(owner=Owner(name)) for name in ("tnt_b", "tnt_aa")]
    mine = [stored_response(OWNER, created=stage.clock.now) for _ in range(230)]
    sandboxed = stored_response(Owner("tnt_a", sandboxed=True), created=stage.clock.now)
    long = stored_response(OWNER, given=[user(NOISE)], created=stage.clock.now)
    await asyncio.gather(*map(stage.responses.put, [*mine, sandboxed, long]))

    assert await stage.responses.delete_all("tnt_a") == 232

    left = {item["id"] for item in await stage.items() if not is_pointer(item)}
    assert left == {other.response_id for other in others}
    assert list(await stage.responses.find_items([written(other) for other in [*mine, *others]])) == [
        written(other) for other in others
    ]
    assert stage.bodies.stored == {}
    assert await stage.responses.delete_all("tnt_a") == 0


async def test_a_deletion_of_all_that_fails_is_repeated(stage: FreshStore) -> None:
    for text in (NOISE, "short"):
        await stage.put(given=[user(text)])
    stage.bodies.unavailable = True
    with pytest.raises(BucketUnavailable):
        await stage.responses.delete_all("tnt_a")

    stage.bodies.unavailable = False
    await stage.responses.delete_all("tnt_a")

    assert (await stage.items(), stage.bodies.stored) == ([], {})


async def test_a_response_may_be_stored_twice(stage: FreshStore) -> None:
    stored = await stage.put(given=[user(NOISE)])

    await stage.responses.put(replace(stored))

    assert await stage.responses.read(stored.response_id) == stored


@LONG
async def test_an_item_is_found_by_its_id_and_says_whose_it_is(stage: FreshStore, text: str) -> None:
    mine = await stage.put(given=[user(text)])
    foreign = await stage.put(owner=Owner("tnt_b"), output=[assistant(text), assistant("two")])
    ids = [item["id"] for stored in (mine, foreign) for item in stored.response["output"]]

    found = await stage.responses.find_items([*ids, ids[0], "msg_" + "0" * 24])

    outputs = [(stored.owner, item) for stored in (mine, foreign) for item in stored.response["output"]]
    assert found == {item["id"]: FoundItem(owner, item) for owner, item in outputs}


async def test_items_of_a_conversation_are_found_in_its_last_response(stage: FreshStore) -> None:
    """Each call of a loop of tools refers to all items before; the last response has them, in any number."""
    conversation: list[Any] = [user("Begin")]
    for number in range(3):
        stored = await stage.put(given=conversation, output=[assistant(f"step {number}")])
        conversation = [*stored.conversation, user("go on")]
    ids = [item["id"] for item in conversation if "id" in item]

    assert len(ids) == 3
    assert await stage.reads(ids) == 2


async def test_items_of_several_conversations_are_found_in_one_read_more(stage: FreshStore) -> None:
    ids = [written(await stage.put()) for _ in range(5)]

    assert await stage.reads(ids) == 3


async def test_a_deleted_response_leaves_no_item_but_those_that_others_have_written(stage: FreshStore) -> None:
    first = await stage.put(output=[assistant("one"), assistant("two")])
    second = await stage.put(given=first.conversation)

    assert await stage.responses.delete(OWNER, first.response_id)

    ids = [item["id"] for item in [*first.response["output"], *second.response["output"]]]
    assert list(await stage.responses.find_items(ids)) == [written(second)]
    assert len(await stage.items()) == 2


async def test_an_expired_responses_item_is_found_no_more(stage: FreshStore) -> None:
    stored = await stage.put()
    stage.clock.advance(RETENTION_SECONDS)

    assert await stage.responses.find_items([written(stored)]) == {}


async def test_an_item_whose_id_others_may_have_is_not_found(stage: FreshStore) -> None:
    await stage.put(output=[assistant("Hello", "msg_1"), {"type": "reasoning", "summary": []}])

    assert await stage.responses.find_items(["msg_1"]) == {}
    assert len(await stage.items()) == 1


async def test_an_item_that_two_responses_have_written_stays_with_the_last(stage: FreshStore) -> None:
    shared = assistant("Hello")
    first, second = await stage.put(output=[shared]), await stage.put(owner=Owner("tnt_b"), output=[shared])

    assert await stage.responses.delete(OWNER, first.response_id)

    assert await stage.responses.find_items([shared["id"]]) == {shared["id"]: FoundItem(second.owner, shared)}


@pytest.mark.parametrize("garbage", ["", "msg_1", "msg_é" * 8, "x" * 5_000, "item#msg_" + "0" * 24], ids=ascii)
async def test_what_is_no_items_id_is_asked_of_no_table(unreachable: ResponsesStore, garbage: str) -> None:
    assert await unreachable.find_items([garbage]) == {}


async def test_too_many_items_are_refused_unread(unreachable: ResponsesStore) -> None:
    with pytest.raises(ApiError) as refused:
        await unreachable.find_items([f"msg_{number:024}" for number in range(MAX_REFERENCES + 1)])

    assert (refused.value.status, refused.value.param) == (400, "input")


async def test_many_items_are_found(stage: FreshStore) -> None:
    stored = await stage.put(output=[assistant(f"{number}") for number in range(250)])
    ids = [item["id"] for item in stored.response["output"]]

    assert list(await stage.responses.find_items(ids)) == ids


async def test_items_that_can_not_be_read_are_503(stage: FreshStore) -> None:
    stored = await stage.put(given=[user(NOISE)])
    stage.bodies.unavailable = True
    for faults in ([], [Fault.LOSE_REQUEST] * 4):
        stage.dynamodb.faults.extend(faults)
        with pytest.raises(ApiError) as refused:
            await stage.responses.find_items([written(stored)])
        assert refused.value.status == 503
