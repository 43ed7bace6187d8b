"""Another plan: this month's calls count on, and the credits of all wallets come along."""

import asyncio

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import put_new_operation
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.ledger.errors import HoldRefused
from callmissed.ledger.holds import Ledger
from callmissed.ledger.queries import balance
from callmissed.ledger.reconcile import reconcile
from callmissed.ledger.returns import take_back
from callmissed.ledger.shards import change_plan, drain
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.tenant_wallets import NOVEMBER, MakeWallets, TenantWallets, call_in, deduction

SHARDS = 8
DECEMBER = Micros(NOVEMBER + 20 * 24 * 60 * MINUTE)


@pytest_asyncio.fixture
async def enterprise(make_wallets: MakeWallets) -> TenantWallets:
    """A tenant with 800 micro-credits and a budget of 1,600 in eight wallets, after a call in each of two."""
    wallets = make_wallets(SHARDS)
    for shard in range(SHARDS):
        await wallets.open("enterprise", shard=shard, av=120, gr=120, bud=200, bl=200, **({} if shard else {"sh": 8}))
    for shard in (0, 5):
        hold = await wallets.hold(80, shard=shard)
        await wallets.ledger.settle(hold, deduction(hold, 80))
    return wallets


async def hold(database: Database, wallets: TenantWallets, amount: int, shards: int = 1, now: int = NOVEMBER) -> None:
    ledger = Ledger(Database(wallets.ledger._dynamodb, database.stage))
    await ledger.hold(wallets.tenant, call_in(0, now), "llm", MicroCredits(amount), shards=shards)


async def test_credits_of_all_wallets_come_along_when_the_tenant_leaves_enterprise(
    database: Database, enterprise: TenantWallets
) -> None:
    in_flight = await enterprise.hold(100, shard=3)
    before = await balance(database, enterprise.tenant, NOVEMBER)

    assert await change_plan(database, enterprise.tenant, Plan.PRO, NOVEMBER) is True

    after = await balance(database, enterprise.tenant, NOVEMBER)
    assert (before.plan, after.plan) == ("enterprise", "pro")
    for each in (before, after):
        assert (each.available, each.held, each.spent, each.budget_left) == (700, 100, 160, 1340)
        assert each.calls_made["llm"] == 3
    assert await enterprise.available() == [700, *[0] * 7]
    assert after.quotas_left["llm"] == 50_000 - 3
    await hold(database, enterprise, 700)
    with pytest.raises(HoldRefused) as refused:
        await hold(database, enterprise, 1)
    assert refused.value.code == "insufficient_credits"

    await enterprise.ledger.release(in_flight)  # into a wallet in which no call of the plan holds
    await hold(database, enterprise, 100)
    assert await enterprise.available() == [0] * 8
    assert (await balance(database, enterprise.tenant, NOVEMBER)).calls_made["llm"] == 4


async def test_what_comes_back_later_is_drained(database: Database, enterprise: TenantWallets) -> None:
    in_flight = [await enterprise.hold(100, shard=shard) for shard in (3, 4)]
    assert await drain(database, enterprise.tenant) is False, "the plan has a use for all wallets"
    await change_plan(database, enterprise.tenant, Plan.STARTER, NOVEMBER)
    for each in in_flight:
        await enterprise.ledger.release(each)
    assert await enterprise.available() == [600, 0, 0, 100, 100, 0, 0, 0]

    assert [await drain(database, enterprise.tenant) for _ in range(2)] == [True, False]

    assert await enterprise.available() == [800, *[0] * 7]
    found = await balance(database, enterprise.tenant, NOVEMBER)
    assert (found.budget, found.budget_left) == (1600, 1440)
    assert (await enterprise.wallet(0))["bl"] == 1440
    assert await drain(database, "tnt_0") is False


async def test_a_debt_stays_a_debt_when_the_tenant_leaves_enterprise(
    database: Database, enterprise: TenantWallets
) -> None:
    in_flight = await enterprise.hold(100, shard=3)
    await take_back(database, tenant=enterprise.tenant, amount=MicroCredits(900), operation_id="refund", now=NOVEMBER)

    await change_plan(database, enterprise.tenant, Plan.PRO, NOVEMBER)

    assert await enterprise.available() == [-100, 0, 0, -100, 0, 0, 0, 0]
    with pytest.raises(HoldRefused, match="owed"):
        await hold(database, enterprise, 0)
    await enterprise.ledger.release(in_flight)
    assert (await balance(database, enterprise.tenant, NOVEMBER)).debt == 100


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [(Plan.FREE, Plan.STARTER, 4_998), (Plan.PRO, Plan.FREE, 98), (Plan.STARTER, Plan.ENTERPRISE, None)],
)
async def test_this_months_calls_count_on(
    database: Database, make_wallets: MakeWallets, before: Plan, after: Plan, left: int | None
) -> None:
    wallets = make_wallets()
    await wallets.open(before, av=1000, gr=1000)
    for _ in range(2):
        await wallets.hold(10)

    assert [await change_plan(database, wallets.tenant, after, NOVEMBER) for _ in range(2)] == [True, False]

    found = await balance(database, wallets.tenant, NOVEMBER)
    assert (found.plan, found.quotas_left["llm"], found.calls_made["llm"]) == (after, left, 2)


async def test_more_calls_than_the_new_plan_allows_refuse_the_next(
    database: Database, make_wallets: MakeWallets
) -> None:
    wallets = make_wallets()
    await wallets.open("pro", av=1000, gr=1000, q_llm=50_000 - 130)
    await change_plan(database, wallets.tenant, Plan.FREE, NOVEMBER)

    with pytest.raises(ApiError, match="100/100") as refused:
        await wallets.hold(1)

    assert refused.value.code == "quota_exceeded"
    assert (await balance(database, wallets.tenant, NOVEMBER)).quotas_left["llm"] == 0


async def test_a_tenant_that_joins_enterprise_again_finds_its_wallets(
    database: Database, enterprise: TenantWallets
) -> None:
    for plan in (Plan.PRO, Plan.ENTERPRISE):
        await change_plan(database, enterprise.tenant, plan, NOVEMBER)
    await enterprise.hold(200, shard=6)

    found = await balance(database, enterprise.tenant, NOVEMBER)
    assert (found.available, found.held, found.calls_made["llm"]) == (600, 200, 3)
    assert (await reconcile(database, NOVEMBER)).drifts[0].imbalance == 0, "entries of the first credits are missing"


async def test_a_call_that_still_counts_on_eight_wallets_is_served(
    database: Database, enterprise: TenantWallets
) -> None:
    await change_plan(database, enterprise.tenant, Plan.PRO, NOVEMBER)

    await enterprise.hold(300, shard=5)

    assert await enterprise.available() == [500, *[0] * 7]


async def test_a_call_that_still_counts_on_wallets_that_were_never_made_is_served(
    database: Database, make_wallets: MakeWallets
) -> None:
    wallets = make_wallets(SHARDS)
    await wallets.open("pro", av=1000, gr=1000)

    await wallets.hold(300, shard=5)

    found = await balance(database, wallets.tenant, NOVEMBER)
    assert (found.available, found.held, found.quotas_left["llm"]) == (700, 300, 50_000)
    assert found.calls_made["llm"] == 1


async def test_a_plan_that_changes_with_the_month(database: Database, enterprise: TenantWallets) -> None:
    await enterprise.hold(10, shard=2, now=DECEMBER)

    await change_plan(database, enterprise.tenant, Plan.PRO, DECEMBER)

    found = await balance(database, enterprise.tenant, DECEMBER)
    assert (found.month, found.spent, found.calls_made["llm"], found.quotas_left["llm"]) == (202612, 0, 1, 49_999)
    assert found.budget_left == 1590


@pytest.mark.parametrize("shard", [0, 4])
async def test_calls_that_come_between_make_the_change_look_again(
    database: Database, faulty: FaultyDynamoDB, enterprise: TenantWallets, shard: int
) -> None:
    faulty.before("TransactWriteItems", lambda: enterprise.hold(50 if shard else 20, shard=shard))

    assert await change_plan(database, enterprise.tenant, Plan.PRO, NOVEMBER) is True

    assert faulty.sent["TransactWriteItems"] == (2 if shard else 1)
    found = await balance(database, enterprise.tenant, NOVEMBER)
    assert (found.available + found.held, found.calls_made["llm"]) == (800, 3)


async def test_two_changes_at_once_end_as_one(database: Database, enterprise: TenantWallets) -> None:
    others = Database(enterprise.ledger._dynamodb, database.stage)
    await asyncio.gather(
        *(change_plan(others, enterprise.tenant, plan, NOVEMBER) for plan in (Plan.PRO, Plan.STARTER, Plan.PRO))
    )

    found = await balance(database, enterprise.tenant, NOVEMBER)
    assert (found.available, found.calls_made["llm"]) == (800, 2)
    assert found.quotas_left["llm"] == {"pro": 49_998, "starter": 4_998}[found.plan]


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.DELAY, Fault.CONFLICT])
async def test_a_change_whose_request_fails_is_applied_once(
    database: Database, faulty: FaultyDynamoDB, enterprise: TenantWallets, fault: Fault
) -> None:
    faulty.faults.extend([None, None, fault])
    await change_plan(database, enterprise.tenant, Plan.PRO, NOVEMBER)
    while faulty.late:
        await faulty.deliver_late(0)

    assert await enterprise.available() == [800, *[0] * 7]


async def test_a_plan_and_what_goes_with_it_are_written_together(database: Database, make_wallets: MakeWallets) -> None:
    wallets = make_wallets()
    await wallets.open("pro")
    note = put_new_operation(TENANTS, {"tenant": wallets.tenant, "item": "NOTE"})
    await change_plan(database, wallets.tenant, Plan.STARTER, NOVEMBER, [note])
    with pytest.raises(TransactionCanceled):
        await change_plan(database, wallets.tenant, Plan.FREE, NOVEMBER, [note])

    assert (await balance(database, wallets.tenant, NOVEMBER)).plan == "starter"


async def test_nobody_changes_no_plan(database: Database) -> None:
    with pytest.raises(ApiError) as refused:
        await change_plan(database, "tnt_0", Plan.PRO, NOVEMBER)
    assert refused.value.status == 404
