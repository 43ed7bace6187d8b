"""A monthly budget that is set while calls run: over all wallets, from the next call on, also below what is spent."""

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import put_new_operation
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.ledger.budgets import set_budget
from callmissed.ledger.errors import HoldRefused
from callmissed.ledger.queries import Balance, balance
from callmissed.ledger.shards import Shards
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import NOTHING, MicroCredits
from callmissed.platform.tables import TENANTS
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.tenant_wallets import NOVEMBER, MakeWallets, TenantWallets, deduction

DECEMBER = Micros(NOVEMBER + 20 * 24 * 60 * MINUTE)


async def opened(make_wallets: MakeWallets, shards: int) -> TenantWallets:
    wallets = make_wallets(shards)
    for shard in range(shards):
        counted = {"sh": shards} if shards > 1 and not shard else {}
        await wallets.open("enterprise" if shards > 1 else "pro", shard=shard, av=1000, gr=1000, **counted)
    return wallets


async def give_budget(database: Database, wallets: TenantWallets, budget: int | None) -> Balance:
    amount = None if budget is None else MicroCredits(budget)
    await set_budget(database, wallets.tenant, amount)
    return await balance(database, wallets.tenant, NOVEMBER)


async def spend(wallets: TenantWallets, amount: int, shard: int = 0) -> None:
    hold = await wallets.hold(amount, shard=shard)
    await wallets.ledger.settle(hold, deduction(hold, amount))


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_budget_holds_from_the_next_call_on_and_can_be_taken_away(
    database: Database, make_wallets: MakeWallets, shards: int
) -> None:
    wallets = await opened(make_wallets, shards)
    await spend(wallets, 100)
    await wallets.hold(50)

    found = await give_budget(database, wallets, 400)

    assert (found.budget, found.budget_left, found.spent, found.held) == (400, 250, 100, 50)
    with pytest.raises(HoldRefused, match="budget") as refused:
        await wallets.hold(251)
    assert (refused.value.code, refused.value.affordable) == ("budget_exceeded", 250)
    await wallets.hold(250)
    assert (await give_budget(database, wallets, 500)).budget_left == 100
    assert (await give_budget(database, wallets, None)).budget is None
    await wallets.hold(500)
    for shard in range(shards):
        assert (await wallets.wallet(shard))["bud"] == NO_BUDGET


async def test_the_same_budget_again_changes_nothing(database: Database, make_wallets: MakeWallets) -> None:
    wallets = await opened(make_wallets, 3)
    await spend(wallets, 100)
    once = await give_budget(database, wallets, 400)

    assert await give_budget(database, wallets, 400) == once


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("budget", [0, 60])
async def test_a_budget_below_what_is_spent_stops_every_call_in_every_wallet(
    database: Database, make_wallets: MakeWallets, shards: int, budget: int
) -> None:
    wallets = await opened(make_wallets, shards)
    hold = await wallets.hold(70, shard=shards - 1)
    await spend(wallets, 100)

    found = await give_budget(database, wallets, budget)

    assert (found.budget, found.budget_left) == (budget, budget - 170)
    for shard in range(shards):
        for amount in (0, 1):
            with pytest.raises(HoldRefused) as refused:
                await wallets.hold(amount, shard=shard)
            assert (refused.value.code, refused.value.affordable) == ("budget_exceeded", 0)
    await wallets.ledger.release(hold)
    assert (await balance(database, wallets.tenant, NOVEMBER)).budget_left == budget - 100


async def test_a_budget_of_nothing_allows_free_calls_while_nothing_is_spent(
    database: Database, make_wallets: MakeWallets
) -> None:
    wallets = await opened(make_wallets, 1)
    await give_budget(database, wallets, 0)

    await wallets.hold(0)
    with pytest.raises(HoldRefused):
        await wallets.hold(1)


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_budget_that_meets_the_turn_of_the_month_is_the_new_months(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets, shards: int
) -> None:
    wallets = await opened(make_wallets, shards)
    await spend(wallets, 300)
    faulty.before("TransactWriteItems", lambda: wallets.hold(10, now=DECEMBER))

    await give_budget(database, wallets, 500)

    found = await balance(database, wallets.tenant, DECEMBER)
    assert faulty.pending == 0
    assert (found.budget, found.budget_left, found.spent, found.held) == (500, 490, 0, 10)


@pytest.mark.parametrize("between", ["levelled", "made"])
async def test_wallets_that_change_meanwhile_are_read_again(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets, between: str
) -> None:
    wallets = make_wallets(2)
    await wallets.open("enterprise", av=1000, gr=1000, bud=600, bl=600)
    shards = Shards(Database(wallets.ledger._dynamodb, database.stage))

    async def borrow() -> None:
        await shards.borrow(wallets.tenant, 1, 2, "llm", MicroCredits(100), NOVEMBER)

    if between == "levelled":
        await borrow()
        await spend(wallets, 90, shard=1)
    faulty.before("TransactWriteItems", borrow)

    found = await give_budget(database, wallets, 900)

    assert (faulty.pending, faulty.sent["TransactWriteItems"]) == (0, 2)
    assert found.budget == 900
    assert sum([(await wallets.wallet(shard))["bud"] for shard in range(2)]) == 900


async def test_a_budget_ends_when_the_wallets_change_each_time(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets
) -> None:
    wallets = await opened(make_wallets, 1)
    other = Database(wallets.ledger._dynamodb, database.stage)
    budgets = iter(range(10, 20))

    async def change() -> None:
        await set_budget(other, wallets.tenant, MicroCredits(next(budgets)))

    faulty.before("TransactWriteItems", *[change] * 10)
    with pytest.raises(Unavailable):
        await give_budget(database, wallets, 900)

    assert (await balance(database, wallets.tenant, NOVEMBER)).budget == 19


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.DELAY, Fault.CONFLICT])
async def test_a_budget_whose_request_fails_is_set_once(
    database: Database, faulty: FaultyDynamoDB, make_wallets: MakeWallets, fault: Fault
) -> None:
    wallets = await opened(make_wallets, 1)
    faulty.faults.extend([None, fault])

    found = await give_budget(database, wallets, 400)
    while faulty.late:
        await faulty.deliver_late(0)

    assert (found.budget, found.budget_left) == (400, 400)
    assert (await wallets.wallet())["bl"] == 400


async def test_what_a_tenant_wants_to_know_is_kept(database: Database, make_wallets: MakeWallets) -> None:
    wallets = await opened(make_wallets, 1)
    found = [await balance(database, wallets.tenant, NOVEMBER)]
    await set_budget(database, wallets.tenant, MicroCredits(500), alerts=False, low_credits=20)
    found.append(await balance(database, wallets.tenant, NOVEMBER))
    await set_budget(database, wallets.tenant, MicroCredits(500))
    found.append(await balance(database, wallets.tenant, NOVEMBER))

    assert [(each.alerts, each.low_credits) for each in found] == [(True, None), (False, 20), (True, None)]


async def test_a_budget_and_what_goes_with_it_are_written_together(
    database: Database, make_wallets: MakeWallets
) -> None:
    wallets = await opened(make_wallets, 1)
    note = put_new_operation(TENANTS, {"tenant": wallets.tenant, "item": "NOTE"})
    await set_budget(database, wallets.tenant, MicroCredits(5), also=[note])
    with pytest.raises(TransactionCanceled):
        await set_budget(database, wallets.tenant, MicroCredits(6), also=[note])

    assert (await balance(database, wallets.tenant, NOVEMBER)).budget == 5


@pytest.mark.parametrize("budget", [-1, NO_BUDGET])
async def test_a_budget_that_is_a_slip_is_refused(database: Database, make_wallets: MakeWallets, budget: int) -> None:
    wallets = await opened(make_wallets, 1)
    with pytest.raises(ValueError, match="zero or more"):
        await give_budget(database, wallets, budget)


async def test_nobody_has_no_budget(database: Database) -> None:
    with pytest.raises(ApiError) as refused:
        await set_budget(database, "tnt_0", NOTHING)
    assert refused.value.status == 404
