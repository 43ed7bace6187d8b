"""Levelling a tenant's wallets: nothing is made, nothing is lost, nobody goes below zero, and the taker can pay."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.ids import new_call_id
from callmissed.ledger.shards import owner, shard_of, shares, wallet_id
from callmissed.ledger.wallet import NO_BUDGET

MONEY = st.integers(0, 10**15)
NAMES = ("av", "bl")


@st.composite
def borrowings(draw: st.DrawFn, *, budgeted: bool) -> tuple[list[dict[str, Any]], int, int]:
    """Wallets, the taker, and a need that all of them together can pay."""
    shards = draw(st.integers(1, 8))
    wallets: list[dict[str, Any]] = [{"av": draw(MONEY), "bl": draw(MONEY), "bud": 10**15} for _ in range(shards)]
    if not budgeted:
        for wallet in wallets:
            wallet |= {"bud": NO_BUDGET, "bl": NO_BUDGET - draw(MONEY)}
    most = min(sum(wallet[name] for wallet in wallets) for name in (NAMES if budgeted else ("av",)))
    return wallets, draw(st.integers(0, shards - 1)), draw(st.integers(0, most) | st.just(most))


def after(wallets: list[dict[str, Any]], changes: list[dict[str, int]], name: str) -> list[int]:
    return [wallet[name] + change[name] for wallet, change in zip(wallets, changes, strict=True)]


@settings(deadline=None)
@given(borrowings(budgeted=True))
def test_wallets_with_a_budget(borrowing: tuple[list[dict[str, Any]], int, int]) -> None:
    wallets, taker, need = borrowing

    changes = shares(wallets, taker, need)

    for name in NAMES:
        left = after(wallets, changes, name)
        others = {amount for shard, amount in enumerate(left) if shard != taker}
        assert sum(change[name] for change in changes) == 0
        assert min(left) >= 0
        assert left[taker] >= need
        assert len(others) <= 1
        assert all(0 <= left[taker] - need - amount < len(wallets) for amount in others)


@settings(deadline=None)
@given(borrowings(budgeted=False))
def test_wallets_without_a_budget_share_their_credits_only(borrowing: tuple[list[dict[str, Any]], int, int]) -> None:
    wallets, taker, need = borrowing

    changes = shares(wallets, taker, need)

    left = after(wallets, changes, "av")
    assert sum(left) == sum(wallet["av"] for wallet in wallets)
    assert min(left) >= 0
    assert left[taker] >= need
    assert [change["bl"] for change in changes] == [0] * len(wallets)


@settings(deadline=None)
@given(borrowings(budgeted=True))
def test_the_wallets_themselves_are_left_alone(borrowing: tuple[list[dict[str, Any]], int, int]) -> None:
    wallets, taker, need = borrowing
    before = [dict(wallet) for wallet in wallets]

    shares(wallets, taker, need)

    assert wallets == before


def test_a_sum_that_is_just_enough_collapses_into_the_taker() -> None:
    wallets = [{"av": av, "bl": bl, "bud": 100} for av, bl in [(3, 10), (4, 0), (5, 2)]]

    assert shares(wallets, 1, 12) == [{"av": -3, "bl": -10}, {"av": 8, "bl": 12}, {"av": -5, "bl": -2}]


def test_levelling_what_is_level_changes_nothing() -> None:
    assert shares([{"av": 7, "bl": 9, "bud": 100}] * 4, 2, 0) == [{"av": 0, "bl": 0}] * 4


@pytest.mark.parametrize("shard", range(8))
def test_a_wallets_id_names_tenant_and_shard(shard: int) -> None:
    assert owner(wallet_id("tnt_1", shard)) == ("tnt_1", shard)
    assert wallet_id("tnt_1", 0) == "tnt_1"


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_calls_spread_over_all_shards_and_stay_in_theirs(shards: int) -> None:
    ids = [new_call_id(0, 1, random) for random in range(32)]

    found = [shard_of(call_id, shards) for call_id in ids]

    assert found == [shard_of(call_id, shards) for call_id in ids]
    assert set(found) == set(range(shards))
