"""Calls that come all at once: exactly as many pass as the wallet can pay for, and each month turns once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros, month_of
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger, Settlement
from callmissed.ledger.sweep import sweep
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from local.aws.tables import StageTables
from tests.support.faults import FaultyDynamoDB
from tests.support.faulty_tenant import FaultyTenant
from tests.support.wallet_items import held, spent

DECEMBER = Micros(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND)
FEW = settings(max_examples=max(5, settings().max_examples // 6))
Wallet = Callable[..., FaultyTenant]


@pytest.fixture
def wallet(loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB) -> Iterator[Wallet]:
    """Makes a tenant with `credits` and other fields of its wallet as of November."""
    tenants: list[FaultyTenant] = []

    def make(credits: int, plan: str = "free", **fields: int) -> FaultyTenant:
        faulty_tenant = FaultyTenant(loop, module_tables, dynamodb)
        dynamodb.arrived = None
        faulty_tenant.start(plan, month_of(Micros(DECEMBER - 1)), **fields)
        tenants.append(faulty_tenant)
        if credits:
            faulty_tenant.now(grant_once(faulty_tenant, credits, "first"))
        return faulty_tenant

    yield make
    for faulty_tenant in tenants:
        faulty_tenant.end()


async def grant_once(faulty_tenant: FaultyTenant, amount: int, operation: str) -> bool:
    """Grant as an operator would."""
    return await grant(
        Database(faulty_tenant.dynamodb, faulty_tenant.stage),
        tenant=faulty_tenant.tenant,
        amount=MicroCredits(amount),
        operation_id=operation,
        now=DECEMBER,
    )


async def hold_all(faulty_tenant: FaultyTenant, amounts: Sequence[int], shards: int = 1, first: int = 0) -> list[Any]:
    """Outcomes of one hold for each amount, all at once, in the first seconds of December."""
    ledger = Ledger(Database(faulty_tenant.dynamodb, faulty_tenant.stage))
    ids = [new_call_id(DECEMBER, 1, first + number) for number in range(len(amounts))]
    return await asyncio.gather(
        *(
            ledger.hold(faulty_tenant.tenant, id, "llm", MicroCredits(amount), shards=shards)
            for id, amount in zip(ids, amounts, strict=True)
        ),
        return_exceptions=True,
    )


def counted(outcomes: Sequence[Any]) -> Counter[str]:
    """How often each refusal came, and `held` where none did."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ApiError):
            raise outcome
    return Counter(outcome.code if isinstance(outcome, ApiError) else "held" for outcome in outcomes)


def entry_for(hold: Hold, cost: int) -> LedgerEntry:
    """The entry that settles `hold`."""
    token = (hold.amount, hold.attempt)
    kind, now = EntryType.DEDUCTION, DECEMBER
    return LedgerEntry(
        hold.tenant, hold.call_id, kind, MicroCredits(cost), Account.HELD, Account.REVENUE, now, held=token
    )


@given(
    calls=st.integers(1, 40),
    enough_for=st.integers(0, 40),
    amount=st.integers(1, 10**12),
    what=st.sampled_from(["insufficient_credits", "budget_exceeded", "quota_exceeded"]),
)
@FEW
def test_exactly_as_many_pass_as_there_is_for(
    wallet: Wallet, calls: int, enough_for: int, amount: int, what: str
) -> None:
    passing, plenty = min(calls, enough_for), amount * 50
    spare = amount * enough_for + amount - 1
    fields: dict[str, Any] = {"mon": month_of(DECEMBER)}
    if what == "budget_exceeded":
        fields |= {"bud": spare, "bl": spare}
    if what == "quota_exceeded":
        fields |= {"q_llm": enough_for}
    faulty_tenant = wallet(spare if what == "insufficient_credits" else plenty, **fields)
    outcomes = faulty_tenant.now(hold_all(faulty_tenant, [amount] * calls))
    assert counted(outcomes) == +Counter({"held": passing, what: calls - passing})
    assert held(faulty_tenant.reload().wallets[faulty_tenant.tenant]) == passing * amount


@given(calls=st.integers(1, 24), enough_for=st.integers(1, 24), amount=st.integers(1, 10**9))
@FEW
def test_shards_together_pay_for_no_more_than_they_have(
    wallet: Wallet, calls: int, enough_for: int, amount: int
) -> None:
    passing = min(calls, enough_for)
    faulty_tenant = wallet(amount * enough_for + amount - 1, "enterprise")
    outcomes = faulty_tenant.now(hold_all(faulty_tenant, [amount] * calls, shards=8))
    at_once = sum(isinstance(outcome, tuple) for outcome in outcomes)
    assert at_once <= passing
    later = [
        faulty_tenant.now(hold_all(faulty_tenant, [amount], shards=8, first=100 + number))[0]
        for number in range(enough_for)
    ]
    assert at_once + counted(later)["held"] == enough_for
    model = faulty_tenant.reload()
    assert sum(map(held, model.wallets.values())) == enough_for * amount


@given(
    spent_before=st.integers(0, 5000),
    standing=st.lists(st.integers(0, 200), max_size=4),
    arriving=st.lists(st.integers(0, 200), min_size=1, max_size=12),
    budget=st.sampled_from([NO_BUDGET, 10_000]),
)
@FEW
def test_a_month_turns_once_and_conserves_the_sum(
    wallet: Wallet, spent_before: int, standing: list[int], arriving: list[int], budget: int
) -> None:
    faulty_tenant = wallet(10_000, bud=budget, bl=budget)
    ledger = Ledger(Database(faulty_tenant.dynamodb, faulty_tenant.stage))
    november = [new_call_id(Micros(DECEMBER - MINUTE), 3, 500 + number) for number in range(len(standing) + 1)]
    hold, _ = faulty_tenant.now(ledger.hold(faulty_tenant.tenant, november[0], "llm", MicroCredits(spent_before)))
    assert faulty_tenant.now(ledger.settle(hold, entry_for(hold, spent_before))) is Settlement.APPLIED
    for id, amount in zip(november[1:], standing, strict=True):
        faulty_tenant.now(ledger.hold(faulty_tenant.tenant, id, "llm", MicroCredits(amount)))
    outcomes = faulty_tenant.now(hold_all(faulty_tenant, arriving))
    assert counted(outcomes)["held"] == len(arriving)
    after = faulty_tenant.reload().wallets[faulty_tenant.tenant]
    assert (after["mon"], after["sp"], after["spt"]) == (month_of(DECEMBER), 0, spent_before)
    assert held(after) == sum(standing) + sum(arriving)
    assert after["q_llm"] == 100 - len(arriving)


@given(cost=st.integers(0, 100), settlers=st.integers(1, 6), sweepers=st.integers(0, 3), swept_before=st.booleans())
@example(cost=60, settlers=3, sweepers=1, swept_before=True)
@example(cost=60, settlers=3, sweepers=1, swept_before=False)
@FEW
def test_a_call_is_charged_once_whoever_settles_it(
    wallet: Wallet, cost: int, settlers: int, sweepers: int, swept_before: bool
) -> None:
    faulty_tenant = wallet(1000)
    ledger = Ledger(Database(faulty_tenant.dynamodb, faulty_tenant.stage))
    hold, _ = faulty_tenant.now(ledger.hold(faulty_tenant.tenant, new_call_id(DECEMBER, 1), "llm", MicroCredits(100)))
    expired = partial(
        sweep, Database(faulty_tenant.dynamodb, faulty_tenant.stage), Micros(DECEMBER + 2 * MINUTE), KeyBudgets
    )
    if swept_before:
        faulty_tenant.dynamodb.before(
            "PutItem",
            *[expired] * settlers,
            matching=lambda request: request["Item"]["type"]["S"] == EntryType.DEDUCTION,
        )

    async def all_at_once() -> list[Any]:
        settles = [ledger.settle(hold, entry_for(hold, cost)) for _ in range(settlers)]
        return await asyncio.gather(*settles, *(expired() for _ in range(sweepers)))

    outcomes = faulty_tenant.now(all_at_once())
    assert all(report.wallets for report in outcomes[settlers:])
    model = faulty_tenant.reload()
    model.check_quiet()
    (settlement,) = set(outcomes[:settlers])  # all settlers learn the same
    assert settlement is Settlement.VOIDED or not swept_before
    assert settlement is Settlement.APPLIED or sweepers or swept_before
    kind = EntryType.DEDUCTION if settlement is Settlement.APPLIED else EntryType.VOID
    assert model.entries[hold.call_id]["type"] == kind
    assert spent(model.wallets[faulty_tenant.tenant]) == (cost if settlement is Settlement.APPLIED else 0)


@given(times=st.integers(2, 8), amount=st.integers(1, 10**12))
@FEW
def test_a_grant_repeated_at_once_grants_once(wallet: Wallet, times: int, amount: int) -> None:
    faulty_tenant = wallet(0)

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(grant_once(faulty_tenant, amount, "same") for _ in range(times)))

    assert sorted(faulty_tenant.now(all_at_once())) == [False] * (times - 1) + [True]
    assert faulty_tenant.reload().wallets[faulty_tenant.tenant]["av"] == amount
