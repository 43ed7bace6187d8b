"""Levelling a tenant's wallets: nothing is made, nothing is lost, nobody goes below zero, and the taker can pay."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.clock import Micros
from callmissed.ids import new_call_id
from callmissed.ledger.shards import Shift, owner, shard_of, shares, wallet_id
from callmissed.ledger.wallet import NO_BUDGET, Wallet, new_wallet
from callmissed.money import MicroCredits

MONEY = st.integers(0, 10**15)
CREDITS, BUDGET = 0, 1


def wallet(available: int, left: int, budget: int = 10**15) -> Wallet:
    return replace(
        new_wallet("tnt_1", "enterprise", 202611, budget=MicroCredits(budget)), available=available, budget_left=left
    )


@st.composite
def borrowings(draw: st.DrawFn, *, budgeted: bool) -> tuple[list[Wallet], int, int]:
    """Wallets, the taker, and a need that all of them together can pay."""
    shards = draw(st.integers(1, 8))
    wallets = [wallet(draw(MONEY), draw(MONEY)) for _ in range(shards)]
    if not budgeted:
        wallets = [wallet(each.available, NO_BUDGET - draw(MONEY), NO_BUDGET) for each in wallets]
    sums = [sum(each.available for each in wallets), sum(each.budget_left for each in wallets)]
    most = min(sums) if budgeted else sums[CREDITS]
    return wallets, draw(st.integers(0, shards - 1)), draw(st.integers(0, most) | st.just(most))


def after(wallets: list[Wallet], changes: list[Shift], kind: int) -> list[int]:
    before = [(each.available, each.budget_left)[kind] for each in wallets]
    return [amount + change[kind] for amount, change in zip(before, changes, strict=True)]


@settings(deadline=None)
@given(borrowings(budgeted=True))
def test_wallets_with_a_budget(borrowing: tuple[list[Wallet], int, int]) -> None:
    wallets, taker, need = borrowing

    changes = shares(wallets, taker, MicroCredits(need))

    for kind in (CREDITS, BUDGET):
        left = after(wallets, changes, kind)
        others = {amount for shard, amount in enumerate(left) if shard != taker}
        assert sum(change[kind] for change in changes) == 0
        assert min(left) >= 0
        assert left[taker] >= need
        assert len(others) <= 1
        assert all(0 <= left[taker] - need - amount < len(wallets) for amount in others)


@settings(deadline=None)
@given(borrowings(budgeted=False))
def test_wallets_without_a_budget_share_their_credits_only(borrowing: tuple[list[Wallet], int, int]) -> None:
    wallets, taker, need = borrowing

    changes = shares(wallets, taker, MicroCredits(need))

    left = after(wallets, changes, CREDITS)
    assert sum(left) == sum(each.available for each in wallets)
    assert min(left) >= 0
    assert left[taker] >= need
    assert [change.budget for change in changes] == [0] * len(wallets)


@settings(deadline=None)
@given(borrowings(budgeted=True))
def test_the_wallets_themselves_are_left_alone(borrowing: tuple[list[Wallet], int, int]) -> None:
    wallets, taker, need = borrowing
    before = list(wallets)

    shares(wallets, taker, MicroCredits(need))

    assert wallets == before


def test_a_sum_that_is_just_enough_collapses_into_the_taker() -> None:
    wallets = [wallet(available, left, 100) for available, left in [(3, 10), (4, 0), (5, 2)]]

    assert shares(wallets, 1, MicroCredits(12)) == [Shift(-3, -10), Shift(8, 12), Shift(-5, -2)]


def test_levelling_what_is_level_changes_nothing() -> None:
    assert shares([wallet(7, 9, 100)] * 4, 2, MicroCredits(0)) == [Shift(0, 0)] * 4


@pytest.mark.parametrize("shard", range(8))
def test_a_wallets_id_names_tenant_and_shard(shard: int) -> None:
    assert owner(wallet_id("tnt_1", shard)) == ("tnt_1", shard)
    assert wallet_id("tnt_1", 0) == "tnt_1"


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_calls_spread_over_all_shards_and_stay_in_theirs(shards: int) -> None:
    ids = [new_call_id(Micros(0), 1, random) for random in range(32)]

    found = [shard_of(call_id, shards) for call_id in ids]

    assert found == [shard_of(call_id, shards) for call_id in ids]
    assert set(found) == set(range(shards))
