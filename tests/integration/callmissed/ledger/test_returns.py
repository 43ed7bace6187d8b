"""Credits taken back, the debt that is left where they are spent, and what pays it."""

from collections import Counter

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import put_new_operation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.errors import HoldRefused
from callmissed.ledger.grants import grant, grant_operations
from callmissed.ledger.holds import Hold
from callmissed.ledger.queries import balance, newest_entries
from callmissed.ledger.reconcile import reconcile
from callmissed.ledger.returns import return_operations, take_back
from callmissed.ledger.sweep import sweep
from callmissed.money import CREDIT, MicroCredits
from callmissed.platform.tables import TENANTS
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.tenant_wallets import NOVEMBER, MakeWallets, TenantWallets, deduction
from tests.support.wallet_model import balances

NOTE = {"tenant": "@note", "item": "NOTE"}


async def take(database: Database, wallets: TenantWallets, amount: int, operation: str = "refund") -> bool:
    return await take_back(
        database, tenant=wallets.tenant, amount=MicroCredits(amount), operation_id=operation, now=NOVEMBER
    )


async def give(database: Database, wallets: TenantWallets, amount: int, operation: str = "purchase") -> bool:
    kind = EntryType.PURCHASE
    return await grant(
        database, tenant=wallets.tenant, amount=MicroCredits(amount), operation_id=operation, now=NOVEMBER, kind=kind
    )


async def spend(wallets: TenantWallets, amount: int, shard: int = 0) -> None:
    hold = await wallets.hold(amount, shard=shard)
    await wallets.ledger.settle(hold, deduction(hold, amount))


async def entries(database: Database, wallets: TenantWallets) -> list[LedgerEntry]:
    """All entries, by type."""
    return sorted(await newest_entries(database, wallets.tenant, limit=100), key=lambda entry: entry.type)


async def check_reconciled(database: Database) -> None:
    assert (await reconcile(database, NOVEMBER)).drifts == []


async def test_credits_that_are_left_are_taken_back_once(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    await give(database, wallets, 1000)

    assert [await take(database, wallets, 300) for _ in range(2)] == [True, False]

    found = await balance(database, wallets.tenant, NOVEMBER)
    assert (found.available, found.debt, found.granted, found.returned) == (700, 0, 1000, 300)
    bought, returned = await entries(database, wallets)
    assert (returned.type, returned.debit, returned.credit, returned.amount, returned.change) == (
        EntryType.REFUND,
        Account.AVAILABLE,
        Account.PAYMENTS,
        300,
        -300,
    )
    assert (bought.change, bought.reference, returned.reference) == (1000, "purchase", "refund")
    await check_reconciled(database)


async def test_spent_credits_become_a_debt_that_refuses_every_call_and_is_paid_first(
    database: Database, wallets: TenantWallets
) -> None:
    await wallets.open()
    await give(database, wallets, 1000 * CREDIT)
    await spend(wallets, 800 * CREDIT)
    await take(database, wallets, 1000 * CREDIT)

    owing = await balance(database, wallets.tenant, NOVEMBER)
    assert (owing.available, owing.debt) == (0, 800 * CREDIT)
    for amount in (1, 0):
        with pytest.raises(HoldRefused, match="800 are owed, which new credits pay first") as refused:
            await wallets.hold(amount)
        assert (refused.value.status, refused.value.code) == (402, "insufficient_credits")
        assert refused.value.headers == {"X-Credits-Balance": "0"}
        assert refused.value.affordable == 0

    await give(database, wallets, 700 * CREDIT, "more")
    with pytest.raises(HoldRefused, match="100 are owed"):
        await wallets.hold(0)
    await give(database, wallets, 300 * CREDIT, "enough")
    await wallets.hold(200 * CREDIT)
    await check_reconciled(database)


async def test_what_a_call_in_flight_gives_back_pays_the_debt(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    await give(database, wallets, 1000)
    hold = await wallets.hold(900)
    await take(database, wallets, 1000)
    assert (await balance(database, wallets.tenant, NOVEMBER)).debt == 900

    await wallets.ledger.settle(hold, deduction(hold, 250))

    assert (await wallets.wallet(owes=True))["av"] == -250
    await check_reconciled(database)


async def test_the_double_entry_knows_a_debt(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    await give(database, wallets, 1000)
    await spend(wallets, 600)
    await take(database, wallets, 1000)

    written = [{"debit": e.debit, "credit": e.credit, "amount": e.amount} for e in await entries(database, wallets)]
    accounts = balances(written)

    assert sum(accounts.values()) == accounts["payments"] == 0
    assert accounts[Account.AVAILABLE] + accounts[Account.HELD] == -600


async def test_an_operators_correction_goes_back_to_promotion(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    tenant, amount = wallets.tenant, MicroCredits(5)
    details = {"kind": EntryType.ADMIN, "description": "a mistake", "reference": "ticket", "entry_id": "0" * 24}

    await take_back(database, tenant=tenant, amount=amount, operation_id="fix", now=NOVEMBER, **details)  # type: ignore[arg-type]

    (entry,) = await entries(database, wallets)
    assert (entry.type, entry.credit, entry.description) == (EntryType.ADMIN, Account.PROMOTION, "a mistake")
    assert (entry.entry_id, entry.reference) == ("0" * 24, "ticket")


@pytest.mark.parametrize("amount", [0, -5, 10**18])
async def test_an_amount_that_is_a_slip_is_refused(database: Database, wallets: TenantWallets, amount: int) -> None:
    await wallets.open()
    for operations in (return_operations, grant_operations):
        with pytest.raises(ValueError, match="at least one micro-credit"):
            await operations(database, wallets.tenant, MicroCredits(amount), "slip", NOVEMBER)
    with pytest.raises(ValueError, match="at least one micro-credit"):
        await take(database, wallets, amount)


async def test_nothing_is_taken_from_nobody(database: Database, wallets: TenantWallets) -> None:
    with pytest.raises(ApiError) as refused:
        await take(database, wallets, 5)
    assert refused.value.status == 404


async def test_a_grant_and_what_goes_with_it_are_written_together(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    tenant, note = wallets.tenant, put_new_operation(TENANTS, NOTE)
    for operation, taken in (("one", True), ("two", False)):
        granting = grant(
            database, tenant=tenant, amount=MicroCredits(7), operation_id=operation, now=NOVEMBER, also=[note]
        )
        if taken:
            assert await granting is True
        else:
            with pytest.raises(TransactionCanceled):
                await granting
    with pytest.raises(TransactionCanceled):
        await take_back(
            database, tenant=tenant, amount=MicroCredits(7), operation_id="three", now=NOVEMBER, also=[note]
        )

    assert (await wallets.wallet())["av"] == 7


async def test_operations_for_a_transaction_of_the_caller(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    tenant, amount = wallets.tenant, MicroCredits(9)
    await database.transact(
        [
            *await grant_operations(database, tenant, amount, "one", NOVEMBER, kind=EntryType.COUPON),
            put_new_operation(TENANTS, NOTE),
        ]
    )
    await database.transact(await return_operations(database, tenant, amount, "two", NOVEMBER))
    with pytest.raises(TransactionCanceled) as cancelled:
        await database.transact(await grant_operations(database, tenant, amount, "one", NOVEMBER))

    assert cancelled.value.reasons[0] == "ConditionalCheckFailed"
    coupon, returned = await entries(database, wallets)
    assert (coupon.type, coupon.debit, returned.type) == (EntryType.COUPON, Account.PROMOTION, EntryType.REFUND)


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.DELAY, Fault.CONFLICT, Fault.THROTTLE])
async def test_a_return_whose_request_fails_is_applied_once(
    database: Database, faulty: FaultyDynamoDB, wallets: TenantWallets, fault: Fault
) -> None:
    await wallets.open()
    await give(database, wallets, 1000)
    faulty.faults.extend([None, fault])

    assert await take(database, wallets, 300) is True
    while faulty.late:
        await faulty.deliver_late(0)

    assert (await wallets.wallet())["av"] == 700
    await check_reconciled(database)


async def open_level(wallets: TenantWallets, each: int) -> None:
    for shard in range(wallets.shards):
        await wallets.open("enterprise", shard=shard, av=each, gr=each)


@pytest.mark.parametrize(("amount", "left"), [(400, [200, 200, 200]), (1000, [0, 0, 0]), (1300, [-298, -1, -1])])
async def test_a_return_takes_from_all_shards_together(
    database: Database, make_wallets: MakeWallets, amount: int, left: list[int]
) -> None:
    wallets = make_wallets(3)
    await open_level(wallets, 300)
    await give(database, wallets, 100)

    await take(database, wallets, amount)

    assert await wallets.available() == left


async def test_a_debt_is_put_where_calls_give_back(database: Database, make_wallets: MakeWallets) -> None:
    wallets = make_wallets(3)
    await open_level(wallets, 300)
    holds = [await wallets.hold(300, shard=shard) for shard in (1, 2)]

    await take(database, wallets, 800)

    assert await wallets.available() == [-1, -300, -199]
    for hold in holds:
        await wallets.ledger.release(hold)
    assert await wallets.available() == [-1, 0, 101]
    found = await balance(database, wallets.tenant, NOVEMBER)
    assert (found.available, found.debt, found.returned) == (100, 0, 800)


async def test_credits_pay_the_debts_of_all_shards_before_any_call(
    database: Database, make_wallets: MakeWallets
) -> None:
    wallets = make_wallets(3)
    await open_level(wallets, 300)
    holds: list[Hold] = [await wallets.hold(300, shard=shard) for shard in (1, 2)]
    await take(database, wallets, 900)
    assert await wallets.available() == [-1, -300, -299]

    await give(database, wallets, 400)
    for shard in range(3):
        with pytest.raises(HoldRefused, match="owed"):
            await wallets.hold(0, shard=shard)
    await give(database, wallets, 500, "more")

    assert sum(await wallets.available()) == 300
    assert min(await wallets.available()) == 100
    for hold in holds:
        await wallets.ledger.settle(hold, deduction(hold, 300))
    assert (await balance(database, wallets.tenant, NOVEMBER)).available == 300


async def test_a_call_that_comes_between_makes_the_return_look_again(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets
) -> None:
    wallets = make_wallets(2)
    await open_level(wallets, 500)
    faulty.before("TransactWriteItems", lambda: wallets.hold(400, shard=1))

    assert await take(database, wallets, 700) is True

    assert faulty.sent["TransactWriteItems"] == 2
    assert await wallets.available() == [-1, -99]


async def test_a_return_ends_when_calls_change_the_shards_each_time(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets
) -> None:
    wallets = make_wallets(2)
    await open_level(wallets, 10_000)
    amount = 20_000 - 2**13

    async def call() -> None:
        await wallets.hold((sum(await wallets.available()) - amount) // 2 + 1, shard=1)

    faulty.before("TransactWriteItems", *[call] * 10)
    with pytest.raises(Unavailable):
        await take(database, wallets, amount)

    assert faulty.pending == 0
    assert (await balance(database, wallets.tenant, NOVEMBER)).returned == 0


async def test_a_tampered_return_is_found(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    await give(database, wallets, 1000)
    await take(database, wallets, 300)
    await wallets.open(av=700, gr=1005, rt=305)

    (drift,) = (await reconcile(database, NOVEMBER)).drifts

    assert (drift.returned, drift.debited, drift.granted, drift.credited, drift.imbalance) == (305, 300, 1005, 1000, 0)


async def test_a_debt_in_flight_is_no_drift_and_leaves_nothing(database: Database, wallets: TenantWallets) -> None:
    await wallets.open()
    await give(database, wallets, 1000)
    await wallets.hold(1000)
    await take(database, wallets, 600)
    await check_reconciled(database)

    late = Micros(NOVEMBER + 3_600_000_000)
    assert (await sweep(database, late, KeyBudgets)).voided == 1

    found = await balance(database, wallets.tenant, NOVEMBER)
    assert (found.available, found.debt, found.held) == (400, 0, 0)
    assert Counter(e.type for e in await entries(database, wallets))[EntryType.VOID] == 1
    await check_reconciled(database)


async def test_an_unspent_bonus_is_known(database: Database, wallets: TenantWallets) -> None:
    await wallets.open(av=1000, gr=1000, bon=1000)
    await give(database, wallets, 500)
    await spend(wallets, 300)
    await wallets.hold(100)

    found = await balance(database, wallets.tenant, NOVEMBER)
    assert (found.available, found.bonus, found.bonus_left) == (1100, 1000, 600)
    await spend(wallets, 900)
    assert (await balance(database, wallets.tenant, NOVEMBER)).bonus_left == 0
