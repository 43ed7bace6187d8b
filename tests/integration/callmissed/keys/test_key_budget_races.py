"""A key's budget and policy when rotations, moves and the month's turn come between a read and its write."""

from functools import partial
from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.keys.changes import PolicyChanges
from callmissed.keys.management import NewKey
from callmissed.keys.secret import key_hash
from callmissed.money import MicroCredits
from callmissed.platform.tables import KEYS, physical_name
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

DECEMBER = Micros(NOVEMBER + 15 * 24 * 60 * MINUTE)
LOAN, SCOPES = {"ln": [202612, 40]}, {"scp": {"bots:read"}}


async def rotate(key_store: KeyStore, key: NewKey, *, overlap: int = 0, now: int = NOVEMBER) -> NewKey:
    return await key_store.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=Micros(now)
    )


async def left_in_december(key_store: KeyStore, *keys: NewKey) -> int:
    """Micro-credits that all secrets together can still spend in December."""
    for key in keys:
        await key_store.refusal(key.secret, 0, DECEMBER + MINUTE)
    items = [await key_store.hot(key.secret) for key in keys]
    assert all(item["kb"] >= 0 for item in items if item)
    return sum(item["kb"] for item in items if item)


async def write(key_store: KeyStore, key: NewKey, attributes: dict[str, Any]) -> None:
    """Set attributes of the key's hot item, as another process would."""
    ((name, value),) = attributes.items()
    request = {
        "TableName": physical_name(key_store.store.stage, KEYS),
        "Key": to_item({"id": key_hash(OLD, key.secret)}),
        "UpdateExpression": "SET #name = :value",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": to_item({":value": value}),
    }
    await key_store.dynamodb.call("UpdateItem", request)


@pytest.mark.parametrize("now", [DECEMBER - SECOND, DECEMBER], ids=["in the old month", "in the new month"])
async def test_a_rotation_before_the_months_turn_is_written_gives_the_budget_once(
    key_store: KeyStore, now: int
) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    made: list[NewKey] = []

    async def rotated() -> None:
        made.append(await rotate(key_store, key, overlap=60, now=now))

    interleaved.before(
        "UpdateItem", rotated, matching=lambda request: "#km" in request.get("ExpressionAttributeNames", {})
    )
    await key_store.ring(OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(30), DECEMBER)

    assert interleaved.pending == 0
    assert 30 + await left_in_december(key_store, key, made[0]) == 100


async def test_a_budget_that_changes_before_the_months_turn_is_written_is_the_new_months(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()

    async def raised() -> None:
        record = key.record
        policy: PolicyChanges = {"budget": MicroCredits(500)}
        await key_store.manager.change(record.tenant, record.key_id, now=NOVEMBER, policy=policy)

    interleaved.before(
        "UpdateItem", raised, matching=lambda request: "#km" in request.get("ExpressionAttributeNames", {})
    )
    await key_store.ring(OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(30), DECEMBER)

    assert interleaved.pending == 0
    assert 30 + await left_in_december(key_store, key) == 500


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_rotation_by_a_slow_clock_does_not_give_the_new_month_again(key_store: KeyStore, overlap: int) -> None:
    key = await key_store.key(budget=100)
    await key_store.call(key.secret, 30, DECEMBER)

    new = await rotate(key_store, key, overlap=overlap, now=DECEMBER - SECOND)

    assert 30 + await left_in_december(key_store, key, new) == 100


@pytest.mark.parametrize("arrived", [LOAN, SCOPES], ids=["loan", "scopes"])
async def test_a_move_keeps_what_the_key_got_since_it_was_read(key_store: KeyStore, arrived: dict[str, Any]) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(write, key_store, key, arrived))

    await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(0), NOVEMBER)

    assert interleaved.pending == 0
    moved = await key_store.hot(key.secret, NEW)
    assert moved.items() >= arrived.items()
    assert await key_store.hot(key.secret, OLD) == {}


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_rotation_keeps_scopes_that_the_key_got_since_it_was_read(key_store: KeyStore, overlap: int) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(write, key_store, key, SCOPES))

    manager, record = key_store.managed_by(interleaved), key.record
    new = await manager.rotate(record.tenant, record.key_id, overlap_minutes=overlap, now=NOVEMBER)

    assert interleaved.pending == 0
    assert (await key_store.hot(new.secret))["scp"] == SCOPES["scp"]


@pytest.mark.parametrize("now", [NOVEMBER + 60 * MINUTE, DECEMBER], ids=["this month", "next month"])
async def test_an_expired_secret_gets_no_share_of_the_budget(key_store: KeyStore, now: int) -> None:
    key = await key_store.key(budget=100)
    second = await rotate(key_store, key, overlap=60)

    third = await rotate(key_store, second, overlap=60, now=now)

    parts = [(await key_store.hot(secret)).get("kb") for secret in (key.secret, second.secret, third.secret)]
    assert parts == ([None, 25, 75] if now < DECEMBER else [None, 50, 50])
