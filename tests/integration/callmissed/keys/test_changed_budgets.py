"""Changed budgets of a key: what was spent stays spent, alone and during an overlap."""

import pytest

from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.money import MicroCredits
from tests.support.keys.changes import changed, left, rotated
from tests.support.keys.key_store import NOVEMBER, OLD, KeyStore

DAY = 24 * 60 * MINUTE
DECEMBER = NOVEMBER + 15 * DAY


@pytest.mark.parametrize(("budget", "rest"), [(150, 120), (100, 70), (40, 10), (30, 0), (10, -20), (0, -30)])
async def test_changed_budget_counts_what_was_spent(key_store: KeyStore, budget: int, rest: int) -> None:
    key = await key_store.key(budget=100)
    await key_store.call(key.secret, 30)

    record = await changed(key_store, key, budget=budget)

    assert record.budget == budget
    assert await left(key_store, key) == [rest]
    assert await key_store.refusal(key.secret, max(rest, 0) + 1) == "budget_exceeded"
    assert await key_store.refusal(key.secret, max(rest, 0)) == "admitted"
    assert await key_store.refusal(key.secret, budget, DECEMBER) == "admitted"


async def test_call_without_a_price_passes_a_budget_that_is_overdrawn(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 100)
    await changed(key_store, key, budget=50)

    with pytest.raises(ApiError) as refused:
        await key_store.call(key.secret, 1)

    assert "and 0 are left" in refused.value.message
    assert await key_store.refusal(key.secret, 0) == "admitted"
    await key_store.ring(OLD)._admission.give_back(admitted, MicroCredits(80))
    assert await left(key_store, key) == [30]


async def test_budget_of_a_key_without_one_begins_with_nothing_spent(key_store: KeyStore) -> None:
    key = await key_store.key()
    earlier = await key_store.call(key.secret, 30)

    await changed(key_store, key, budget=100)
    await key_store.ring(OLD)._admission.give_back(earlier, MicroCredits(30))

    assert await left(key_store, key) == [100]


async def test_removed_budget_is_counted_on_so_that_none_is_made_by_setting_it_again(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    under_way = await key_store.call(key.secret, 60)

    record = await changed(key_store, key, budget=None)
    assert (record.budget, await key_store.refusal(key.secret, 10**9)) == (None, "admitted")
    await changed(key_store, key, budget=2 * 10**9)
    await key_store.ring(OLD)._admission.give_back(under_way, MicroCredits(60))

    assert await left(key_store, key) == [10**9]


async def test_budget_during_an_overlap_is_divided_as_it_was(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    newest = await rotated(key_store, key, 60)
    await key_store.call(newest.secret, 20)

    await changed(key_store, key, budget=40)  # 50 and 30 were left

    assert await left(key_store, key, newest) == [12, 8]
    await changed(key_store, key, budget=10)
    assert await left(key_store, key, newest) == [0, -10]
    await changed(key_store, key, budget=120)
    assert await left(key_store, key, newest) == [50, 50]


async def test_budget_that_is_set_during_an_overlap_is_divided(key_store: KeyStore) -> None:
    key = await key_store.key()
    newest = await rotated(key_store, key, 60)
    await key_store.call(newest.secret, 20)

    await changed(key_store, key, budget=101)

    assert await left(key_store, key, newest) == [50, 51]
    await changed(key_store, key, budget=None)
    await changed(key_store, key, budget=60)
    assert sum(await left(key_store, key, newest)) == 60


async def test_budget_during_an_overlap_over_the_months_end_is_given_once(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    newest = await rotated(key_store, key, 24 * 60, DECEMBER - DAY // 2)

    await changed(key_store, key, now=DECEMBER - DAY // 2, budget=40)

    assert sum(await left(key_store, key, newest)) == 40
    assert await key_store.refusal(key.secret, 20, DECEMBER + 1) == "admitted"
    assert await key_store.refusal(key.secret, 1, DECEMBER + MINUTE) == "budget_exceeded"
    assert await key_store.refusal(newest.secret, 20, DECEMBER + 1) == "admitted"
    assert await key_store.refusal(newest.secret, 1, DECEMBER + MINUTE) == "budget_exceeded"


async def test_budget_in_a_month_that_no_secret_has_begun_is_the_months(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    newest = await rotated(key_store, key, 24 * 60, DECEMBER - DAY // 2)
    await key_store.call(key.secret, 50, DECEMBER - DAY // 2)

    await changed(key_store, key, now=DECEMBER + MINUTE, budget=40)

    assert await left(key_store, key, newest) == [20, 20]


async def test_budget_after_an_overlap_collects_what_the_ended_secret_left(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    newest = await rotated(key_store, key, 60)
    await key_store.call(newest.secret, 10)

    await changed(key_store, key, now=NOVEMBER + 61 * MINUTE, budget=30)

    assert await left(key_store, key, newest) == [0, 20]
