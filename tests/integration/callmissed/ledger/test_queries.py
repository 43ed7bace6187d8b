"""Balances and pages of entries, as the command line and later the API ask for them."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from callmissed.aws.attributes import to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, Usage
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger
from callmissed.ledger.queries import balance, newest_entries
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables

NOVEMBER = Micros(1_794_787_200_000_000)
MakeTenant = Callable[..., Awaitable[str]]
DECEMBER = Micros(NOVEMBER + 20 * 24 * 60 * MINUTE)


@pytest.fixture(scope="module")
def stage(module_tables: StageTables) -> str:
    return module_tables.stage


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dynamodb(module_tables: StageTables) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    yield client
    await client.close()


@pytest.fixture
def make_tenant(dynamodb: DynamoDB, stage: str) -> MakeTenant:
    async def make(plan: Plan = Plan.PRO, amount: int = 1000) -> str:
        tenant = (await create_tenant(Database(dynamodb, stage), name="tests", plan=plan, now=NOVEMBER)).tenant_id
        await grant(
            Database(dynamodb, stage), tenant=tenant, amount=MicroCredits(amount), operation_id="start", now=NOVEMBER
        )
        return tenant

    return make


async def spend(ledger: Ledger, tenant: str, amount: int, *, now: int = NOVEMBER, shards: int = 1) -> str:
    call_id = new_call_id(Micros(now), 20)
    hold, _ = await ledger.hold(tenant, call_id, "llm", MicroCredits(amount), shards=shards)
    entry = LedgerEntry(
        tenant,
        call_id,
        EntryType.DEDUCTION,
        MicroCredits(amount),
        Account.HELD,
        Account.REVENUE,
        Micros(now),
        held=(hold.amount, hold.attempt),
        usage=Usage("llm", "lab-chat", "lab"),
    )
    await ledger.settle(hold, entry)
    return call_id


async def test_a_balance_separates_held_from_spent(dynamodb: DynamoDB, stage: str, make_tenant: MakeTenant) -> None:
    tenant, ledger = await make_tenant(), Ledger(Database(dynamodb, stage))
    await spend(ledger, tenant, 300)
    await ledger.hold(tenant, new_call_id(NOVEMBER, 20), "llm", MicroCredits(50))

    found = await balance(Database(dynamodb, stage), tenant, NOVEMBER)

    assert (found.available, found.held, found.spent, found.spent_ever, found.granted) == (650, 50, 300, 300, 1000)
    assert (found.month, found.quotas_left["llm"], found.quotas_left["search"]) == (202611, 49_998, None)
    assert (found.budget, found.budget_left) == (None, None)


async def test_a_new_month_begins_with_nothing_spent_before_any_call_turned_it(
    dynamodb: DynamoDB, stage: str, make_tenant: MakeTenant
) -> None:
    tenant, ledger = await make_tenant(), Ledger(Database(dynamodb, stage))
    budgeted = {":budget": 400}
    request = {
        "TableName": physical_name(stage, WALLETS),
        "Key": to_item({"id": tenant}),
        "UpdateExpression": "SET bud = :budget, bl = :budget",
        "ExpressionAttributeValues": to_item(budgeted),
    }
    await dynamodb.call("UpdateItem", request)
    await spend(ledger, tenant, 300)

    before, after = [await balance(Database(dynamodb, stage), tenant, now) for now in (NOVEMBER, DECEMBER)]

    assert (before.month, before.spent, before.budget, before.budget_left) == (202611, 300, 400, 100)
    assert (after.month, after.spent, after.budget, after.budget_left) == (202612, 0, 400, 400)
    assert (before.quotas_left["llm"], after.quotas_left["llm"]) == (49_999, 50_000)
    assert before.spent_ever == after.spent_ever == 300


async def test_a_wallet_in_shards_has_one_balance(dynamodb: DynamoDB, stage: str, make_tenant: MakeTenant) -> None:
    tenant, ledger = await make_tenant(Plan.ENTERPRISE, 8000), Ledger(Database(dynamodb, stage))
    for _ in range(4):
        await spend(ledger, tenant, 100, shards=8)

    found = await balance(Database(dynamodb, stage), tenant, NOVEMBER)

    assert (found.available, found.held, found.spent, found.granted) == (7600, 0, 400, 8000)
    assert found.available + found.held + found.spent_ever == found.granted < NO_BUDGET
    assert set(found.quotas_left.values()) == {None}


async def test_pages_join_without_gap_or_overlap(dynamodb: DynamoDB, stage: str, make_tenant: MakeTenant) -> None:
    tenant, ledger = await make_tenant(), Ledger(Database(dynamodb, stage))
    calls = [await spend(ledger, tenant, 1, now=NOVEMBER + 1000 * (n + 1)) for n in range(7)]

    pages, before = [], ""
    while page := await newest_entries(Database(dynamodb, stage), tenant, limit=3, before=before):
        pages.append([entry.entry_id for entry in page])
        before = pages[-1][-1]

    assert [len(page) for page in pages] == [3, 3, 2]
    assert [entry for page in pages for entry in page][:7] == calls[::-1]


async def test_calls_only_leaves_out_what_is_no_call(dynamodb: DynamoDB, stage: str, make_tenant: MakeTenant) -> None:
    tenant, ledger = await make_tenant(), Ledger(Database(dynamodb, stage))
    calls = [await spend(ledger, tenant, 1, now=NOVEMBER + 1000)]
    for n in range(5):
        await grant(
            Database(dynamodb, stage),
            tenant=tenant,
            amount=MicroCredits(1),
            operation_id=f"more-{n}",
            now=Micros(NOVEMBER + 2000 + n * 1000),
        )

    found = await newest_entries(Database(dynamodb, stage), tenant, limit=2, calls_only=True)

    assert [entry.entry_id for entry in found] == calls


@pytest.mark.parametrize("limit", [0, 1001])
async def test_a_page_has_a_size(dynamodb: DynamoDB, stage: str, limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        await newest_entries(Database(dynamodb, stage), "tnt_0", limit=limit)


async def test_nobody_has_no_balance(dynamodb: DynamoDB, stage: str) -> None:
    with pytest.raises(ApiError) as refused:
        await balance(Database(dynamodb, stage), "tnt_0", NOVEMBER)
    assert refused.value.status == 404
