"""Charges to the budget of a key whose call was admitted before anyone knew what it may cost."""

import pytest

from callmissed.aws.database import Database
from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission
from callmissed.ledger.errors import HoldRefused
from callmissed.money import MicroCredits
from callmissed.platform.tables import KEYS
from tests.support.keys.changes import left
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

DECEMBER = NOVEMBER + 15 * 24 * 60 * MINUTE


def admission(key_store: KeyStore) -> Admission:
    return Admission(Database(key_store.dynamodb, key_store.store.stage))


async def test_charge_is_taken_once_and_named(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 0)

    charged = await admission(key_store).charge(admitted, MicroCredits(60))

    assert (charged.charged, charged.key.budget_left, charged.now) == (60, 40, admitted.now)
    assert await left(key_store, key) == [40]
    await admission(key_store).give_back(charged, MicroCredits(50))
    assert await left(key_store, key) == [90]


async def test_key_without_a_budget_is_not_written(key_store: KeyStore) -> None:
    key = await key_store.key()
    admitted = await key_store.call(key.secret, 0)

    assert await admission(key_store).charge(admitted, MicroCredits(60)) is admitted


async def test_charge_above_the_budget_is_refused(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 0)
    await key_store.call(key.secret, 70)

    with pytest.raises(HoldRefused) as refused:
        await admission(key_store).charge(admitted, MicroCredits(31))

    assert (refused.value.code, refused.value.affordable) == ("budget_exceeded", 30)
    assert await left(key_store, key) == [30]
    assert (await admission(key_store).charge(admitted, MicroCredits(30))).key.budget_left == 0


async def test_charge_in_a_new_month_is_the_new_months(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 0)
    await key_store.call(key.secret, 70, DECEMBER)

    charged = await admission(key_store).charge(admitted, MicroCredits(20))

    assert (charged.key.month, charged.key.budget_left) == (202612, 10)


async def test_charge_follows_a_key_that_moves(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()

    async def other_call() -> None:
        await key_store.call(key.secret)

    interleaved.before("TransactWriteItems", *[other_call] * 4)
    admitted = await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(0), NOVEMBER)
    await key_store.call(key.secret, 0, NOVEMBER, NEW, OLD)

    await admission(key_store).charge(admitted, MicroCredits(30))

    assert (await key_store.hot(key.secret, NEW))["kb"] == 70


async def test_charge_of_a_key_that_is_gone_is_refused(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 0)
    await Database(key_store.dynamodb, key_store.store.stage).delete_if(KEYS, {"id": admitted.key.key_hash})

    with pytest.raises(ApiError) as refused:
        await admission(key_store).charge(admitted, MicroCredits(1))

    assert refused.value.status == 401
