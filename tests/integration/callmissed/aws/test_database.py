"""`Database` on DynamoDB Local: reads, conditional writes, transactions, pages, and writes whose answers get lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import EXISTS, above, at_least, at_most, begins_with, below, between, equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, DynamoDB, TransactionCanceled, Unavailable
from callmissed.aws.operations import (
    check_operation,
    delete_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.platform.tables import DELIVERIES, DUE, OUTBOX, TENANTS
from local.aws.tables import StageTables


class LossyDynamoDB(DynamoDB):
    """Loses the answer of the next write that was applied; `meanwhile` happens before it is sent again."""

    lose = False
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def send(self, operation: str, payload: bytes) -> dict[str, object]:
        answer = await super().send(operation, payload)
        if self.lose:
            self.lose = False
            if self.meanwhile:
                await self.meanwhile()
            raise Unavailable("the answer got lost", indeterminate=True)
        return answer


@dataclass
class Lossy:
    database: Database
    dynamodb: LossyDynamoDB


@pytest.fixture
async def lossy(tables: StageTables) -> AsyncIterator[Lossy]:
    dynamodb = LossyDynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
    database = Database(dynamodb, tables.stage)
    yield Lossy(database, dynamodb)
    await database.close()


@pytest.fixture
def database(lossy: Lossy) -> Database:
    return lossy.database


def record(item: str, **more: object) -> Item:
    return {"tenant": "tnt_1", "item": item, **more}


def key(item: str) -> Item:
    return record(item)


async def fill(database: Database, *items: Item) -> None:
    for item in items:
        await database.put(TENANTS, item)


async def test_an_item_is_read_as_it_was_put_and_a_missing_one_is_empty(database: Database) -> None:
    await database.put(TENANTS, record("A", n=1, tags=frozenset({"x"}), held={"c": [1, 2]}))
    assert await database.get(TENANTS, key("A")) == record("A", n=1, tags=frozenset({"x"}), held={"c": [1, 2]})
    assert await database.get(TENANTS, key("A"), consistent=False)
    assert await database.get(TENANTS, key("B")) == {}


async def test_several_items_come_in_the_order_of_their_keys(database: Database) -> None:
    await fill(database, record("A"), record("B"), record("C"))
    wanted = [key("C"), key("A"), key("missing")]
    assert await database.get_all(TENANTS, wanted) == [record("C"), record("A")]
    assert await database.get_all_at_once(TENANTS, wanted) == [record("C"), record("A")]


async def test_put_new_returns_the_item_that_was_there(database: Database) -> None:
    assert await database.put_new(TENANTS, record("A", n=1)) == {}
    assert await database.put_new(TENANTS, record("A", n=1)) == record("A", n=1)
    assert await database.put_new(TENANTS, record("A", n=2)) == record("A", n=1)
    assert await database.get(TENANTS, key("A")) == record("A", n=1)


async def test_put_new_takes_its_own_item_for_none_after_a_lost_answer(lossy: Lossy) -> None:
    lossy.dynamodb.lose = True
    assert await lossy.database.put_new(TENANTS, record("A", n=1)) == {}


async def test_put_new_does_not_take_another_item_for_its_own_after_a_lost_answer(lossy: Lossy) -> None:
    async def overwrite() -> None:
        await lossy.database.put(TENANTS, record("A", n=2))

    lossy.dynamodb.lose, lossy.dynamodb.meanwhile = True, overwrite
    assert await lossy.database.put_new(TENANTS, record("A", n=1)) == record("A", n=2)


async def test_an_update_returns_the_whole_item(database: Database) -> None:
    await database.put(TENANTS, record("A", n=1, off="why", owners=frozenset({"x", "y"})))
    after = await database.update(
        TENANTS,
        key("A"),
        set={"name": "new"},
        set_missing={"n": 9, "since": 7},
        add={"rev": 2},
        discard={"owners": frozenset({"x"})},
        remove=("off",),
    )
    assert after == record("A", n=1, name="new", since=7, rev=2, owners=frozenset({"y"}))


async def test_a_refused_update_raises_with_the_item_as_it_was(database: Database) -> None:
    await database.put(TENANTS, record("A", n=1))
    with pytest.raises(ConditionFailed) as refused:
        await database.update(TENANTS, key("A"), set={"n": 2}, expected={"n": 5})
    assert refused.value.item == record("A", n=1)
    assert not refused.value.indeterminate


async def test_an_update_that_fails_after_a_lost_answer_says_that_it_is_indeterminate(lossy: Lossy) -> None:
    await lossy.database.put(TENANTS, record("A", n=1))
    lossy.dynamodb.lose = True
    with pytest.raises(ConditionFailed) as refused:
        await lossy.database.update(TENANTS, key("A"), set={"n": 2}, expected={"n": 1})
    assert refused.value.indeterminate
    assert refused.value.item == record("A", n=2)


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"n": 5}, True),
        ({"n": 4}, False),
        ({"n": at_least(5)}, True),
        ({"n": at_least(6)}, False),
        ({"n": at_most(5)}, True),
        ({"n": at_most(4)}, False),
        ({"n": above(4)}, True),
        ({"n": above(5)}, False),
        ({"n": below(6)}, True),
        ({"n": below(5)}, False),
        ({"n": between(5, 6)}, True),
        ({"n": between(6, 7)}, False),
        ({"text": begins_with("ab")}, True),
        ({"text": begins_with("b")}, False),
        ({"text": EXISTS}, True),
        ({"other": EXISTS}, False),
        ({"other": missing_or(equal(1))}, True),
        ({"n": missing_or(below(6))}, True),
        ({"n": missing_or(below(5))}, False),
    ],
)
async def test_a_write_depends_on_what_is_expected(database: Database, expected: Item, holds: bool) -> None:
    await database.put(TENANTS, record("A", n=5, text="abc"))
    assert await database.update_if(TENANTS, key("A"), set={"done": True}, expected=expected) is holds
    assert await database.write_if(put_operation(TENANTS, record("A", n=5, text="abc"), expected=expected)) is holds
    assert await database.delete_if(TENANTS, key("A"), expected=expected) is holds


async def test_a_write_depends_on_attributes_that_must_not_exist(database: Database) -> None:
    await database.put(TENANTS, record("A", n=5))
    assert not await database.update_if(TENANTS, key("A"), set={"m": 1}, must_not_exist=("n",))
    assert await database.update_if(TENANTS, key("A"), set={"m": 1}, must_not_exist=("m",))


async def test_only_an_upsert_creates_an_item(database: Database) -> None:
    assert not await database.update_if(TENANTS, key("A"), set={"n": 1})
    assert not await database.delete_if(TENANTS, key("A"))
    assert await database.update_if(TENANTS, key("A"), add={"n": 1}, upsert=True)
    assert await database.get(TENANTS, key("A")) == record("A", n=1)


async def test_a_transaction_does_all_or_nothing(database: Database) -> None:
    await fill(database, record("A", n=1), record("B"))
    operations = [
        put_new_operation(TENANTS, record("C")),
        delete_operation(TENANTS, key("B")),
        update_operation(TENANTS, key("A"), add={"n": 1}),
    ]
    with pytest.raises(TransactionCanceled) as cancelled:
        await database.transact([*operations, check_operation(TENANTS, key("D"))])
    assert cancelled.value.reasons == ["None", "None", "None", "ConditionalCheckFailed"]
    assert [item async for item in database.query(TENANTS, "tnt_1")] == [record("A", n=1), record("B")]
    await database.transact(operations)
    assert [item async for item in database.query(TENANTS, "tnt_1")] == [record("A", n=2), record("C")]


async def test_a_transaction_is_applied_once_though_its_answer_is_lost(lossy: Lossy) -> None:
    await lossy.database.put(TENANTS, record("A", n=1))
    lossy.dynamodb.lose = True
    await lossy.database.transact([update_operation(TENANTS, key("A"), add={"n": 1})])
    assert await lossy.database.get(TENANTS, key("A")) == record("A", n=2)


async def test_a_query_goes_over_all_pages(database: Database) -> None:
    made = [record(f"A{number}", n=number) for number in range(7)]
    await fill(database, *made, record("B"))
    found = [item async for item in database.query(TENANTS, "tnt_1", sort=begins_with("A"), limit=2, consistent=True)]
    assert found == made
    newest = [item async for item in database.query(TENANTS, "tnt_1", newest_first=True, limit=3)]
    assert newest == [record("B"), *reversed(made)]


async def test_a_query_selects_filters_and_projects(database: Database) -> None:
    await fill(database, *(record(f"A{number}", n=number, text="x") for number in range(4)))
    selected = database.query(TENANTS, "tnt_1", sort=below("A3"), where={"n": above(0)}, attributes=("item", "n"))
    assert [item async for item in selected] == [{"item": "A1", "n": 1}, {"item": "A2", "n": 2}]


async def test_pages_are_asked_for_one_by_one(database: Database) -> None:
    await fill(database, *(record(f"A{number}", n=number) for number in range(3)))
    first = await database.page(TENANTS, "tnt_1", limit=2, where={"n": 1})
    assert ([item["n"] for item in first.items], first.scanned) == ([1], 2)
    last = await database.page(TENANTS, "tnt_1", limit=2, start=first.next)
    assert ([item["n"] for item in last.items], last.next) == ([2], None)


async def test_an_index_is_queried_by_its_own_keys(database: Database) -> None:
    for number in range(3):
        item = {"webhook": "w", "item": f"D{number}", "shard": "1", "due": f"{number}", "event": "e", "text": "hidden"}
        await database.put(DELIVERIES, item)
    found = await database.page(DELIVERIES, "1", index=DUE, sort=at_most("1"))
    assert [item["item"] for item in found.items] == ["D0", "D1"]
    assert "text" not in found.items[0]
    assert len([item async for item in database.scan(DELIVERIES, index=DUE)]) == 3


async def test_a_scan_filters(database: Database) -> None:
    for number in range(5):
        await database.put(OUTBOX, {"id": f"evt_{number}", "n": number})
    found = [item["n"] async for item in database.scan(OUTBOX, where={"n": between(1, 3)}, limit=2, consistent=True)]
    assert sorted(found) == [1, 2, 3]


async def test_a_table_that_leaves_keys_out_is_unavailable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> dict[str, object]:
        return {"Responses": {}, "UnprocessedKeys": {"t": {}}}

    monkeypatch.setattr(database.dynamodb, "send", busy)
    with pytest.raises(Unavailable):
        await database.get_all(TENANTS, [key("A")])
