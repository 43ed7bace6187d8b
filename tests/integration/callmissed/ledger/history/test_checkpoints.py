"""Checkpoints by the nightly reconciliation, and what makes them void, on DynamoDB Local."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, Micros, month_end, month_start
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger import reconcile as reconciliation
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant
from callmissed.ledger.history import checkpoints
from callmissed.ledger.history import transactions as history
from callmissed.ledger.history.checkpoints import generation, newest
from callmissed.ledger.history.transactions import TransactionFilter, transactions
from callmissed.ledger.reconcile import reconcile
from callmissed.ledger.records import start_month
from callmissed.ledger.shards import read_wallets
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS, WALLETS
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.ledger_entries import entry_at, write_entries

DAY = 24 * 60 * MINUTE
NOVEMBER = Micros(month_start(202611) + 5 * DAY)
DECEMBER = Micros(month_end(202611) + 5 * DAY)
AMOUNT = MicroCredits(1_000_000)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (checkpoints, reconciliation):
        monkeypatch.setattr(module, "SEGMENT", 2)


@pytest_asyncio.fixture
async def database(tables: StageTables) -> AsyncIterator[Database]:
    dynamodb = DynamoDB("us-east-1", tables.endpoint)
    yield Database(dynamodb, tables.stage)
    await dynamodb.close()


async def new_tenant(database: Database, plan: Plan = Plan.PRO) -> str:
    return (await create_tenant(database, name="tests", plan=plan, now=NOVEMBER)).tenant_id


async def granted(database: Database, tenant: str, number: int, now: int) -> None:
    await grant(database, tenant=tenant, amount=AMOUNT, operation_id=f"grant-{number}", now=Micros(now))


async def counted(database: Database, tenant: str) -> int:
    """Entries up to the latest checkpoint that counts."""
    return (await newest(database, tenant, await generation(database, tenant))).sums.entries


async def balances(database: Database, tenant: str, now: Micros) -> list[int]:
    page = await transactions(database, tenant, TransactionFilter(), now, limit=50)
    return [row.balance_after for row in page.transactions]


async def test_reconciliation_writes_checkpoints_of_final_entries(database: Database) -> None:
    tenant = await new_tenant(database)
    for number in range(5):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    await reconcile(database, Micros(NOVEMBER + 30 * MINUTE))
    assert await counted(database, tenant) == 0
    await reconcile(database, Micros(NOVEMBER + DAY))
    assert await counted(database, tenant) == 4
    await granted(database, tenant, 5, NOVEMBER + DAY)
    report = await reconcile(database, Micros(NOVEMBER + 2 * DAY))
    assert (report.drifts, await counted(database, tenant)) == ([], 6)


async def test_recount_after_a_drift_begins_anew(database: Database) -> None:
    tenant = await new_tenant(database)
    for number in range(4):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    await reconcile(database, Micros(NOVEMBER + DAY))
    late = entry_at(tenant, NOVEMBER - MINUTE, 7, EntryType.ADMIN)
    await write_entries(database, [late])
    shifted = {"av": 4 * AMOUNT + 7, "gr": 4 * AMOUNT + 7}
    await database.update_if(WALLETS, {"id": tenant}, set=shifted)

    report = await reconcile(database, Micros(NOVEMBER + 2 * DAY))

    assert (report.drifts, await generation(database, tenant), await counted(database, tenant)) == ([], 1, 4)
    stored = database.query(TENANTS, tenant, sort=begins_with("CHECKPOINT#"))
    assert {item["item"].split("#")[1] async for item in stored} == {"000001"}, "those of older generations are gone"
    assert await balances(database, tenant, Micros(NOVEMBER + 2 * DAY)) == [7 + AMOUNT * n for n in (4, 3, 2, 1)] + [7]


async def test_entry_with_an_old_id_makes_checkpoints_void(database: Database) -> None:
    tenant, now = await new_tenant(database), Micros(NOVEMBER + DAY)
    for number in range(4):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    await reconcile(database, now)
    old = new_call_id(Micros(NOVEMBER - DAY), 1)
    await grant(database, tenant=tenant, amount=AMOUNT, operation_id="late", now=now, entry_id=old)
    assert await counted(database, tenant) == 0
    assert await balances(database, tenant, now) == [AMOUNT * n for n in (5, 4, 3, 2, 1)]


async def test_grant_of_the_free_plan_comes_before_what_came_before_it(database: Database) -> None:
    tenant = await new_tenant(database, Plan.FREE)
    await granted(database, tenant, 0, NOVEMBER)
    for number in range(1, 4):
        await granted(database, tenant, number, DECEMBER + number * MINUTE)
    later = Micros(DECEMBER + DAY)
    await reconcile(database, later)
    assert await counted(database, tenant) == 0  # the grant of December may still come

    (wallet,) = await read_wallets(database, tenant, 1)
    await start_month(database, wallet, 202612)

    after = [row - AMOUNT for row in await balances(database, tenant, later)]
    free = after[3]
    assert after == [free + AMOUNT * n for n in (3, 2, 1, 0)] + [0]
    report = await reconcile(database, Micros(later + DAY))
    assert (report.drifts, await counted(database, tenant)) == ([], 4)


async def test_checkpoints_are_written_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_BATCH", 1)
    tenant = await new_tenant(database)
    for number in range(5):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    await checkpoints.write_checkpoints(database, tenant, new_call_id(Micros(NOVEMBER + DAY), 1))
    assert await counted(database, tenant) == 4


async def test_a_request_reads_no_more_entries_than_it_may(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_READ", 3)
    tenant = await new_tenant(database)
    for number in range(4):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    with pytest.raises(ApiError) as refused:
        await balances(database, tenant, Micros(NOVEMBER + 5 * MINUTE))
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})


@pytest.mark.parametrize("enough", [1, 10_000])
async def test_pages_end_early_or_at_checkpoints_and_show_everything_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    monkeypatch.setattr(history, "_ENOUGH_FOR_A_PAGE", enough)
    tenant, now = await new_tenant(database), Micros(NOVEMBER + DAY)
    for number in range(5):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    await reconcile(database, now)
    for limit in (1, 50):
        shown: list[int] = []
        below: str | None = "~"
        while below:
            page = await transactions(database, tenant, TransactionFilter(), now, limit=limit, below=below)
            shown += [row.balance_after for row in page.transactions]
            below = page.next
        assert shown == [AMOUNT * n for n in (5, 4, 3, 2, 1)]


async def test_segments_without_the_type_are_not_read(database: Database) -> None:
    tenant, now = await new_tenant(database), Micros(NOVEMBER + DAY)
    for number in range(5):
        await granted(database, tenant, number, NOVEMBER + number * MINUTE)
    await reconcile(database, now)
    page = await transactions(database, tenant, TransactionFilter(type=EntryType.COUPON), now, limit=50)
    assert (page.transactions, page.next, page.sums.counts) == ([], None, {})


async def test_a_history_that_keeps_changing_is_a_conflict(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))

    async def changed(_database: Database, _tenant: str) -> int:
        return next(numbers)

    tenant = await new_tenant(database)
    monkeypatch.setattr(history, "generation", changed)
    with pytest.raises(ApiError) as refused:
        await balances(database, tenant, NOVEMBER)
    assert (refused.value.status, refused.value.code) == (409, "conflict")
