"""The sweep between other processes: entries that arrive meanwhile, its own death, and the moment of expiry."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.holds import Hold
from callmissed.ledger.sweep import sweep
from local.aws.tables import StageTables
from tests.support.faults import Crash, Fault, FaultyDynamoDB
from tests.support.tenant_wallets import HOLD_MINUTES, NOVEMBER, TenantWallets, deduction
from tests.support.wallet_items import spent

EXPIRY = NOVEMBER + HOLD_MINUTES * MINUTE
DECEMBER = Micros(NOVEMBER + 15 * 24 * 60 * MINUTE)
REQUESTS = {"unsettled": 4, "unsettled last month": 5, "entry written": 3}
"""What became of a call whose process died, and how many requests the sweep of its hold takes."""


@pytest_asyncio.fixture
async def sweeper(module_tables: StageTables) -> AsyncIterator[FaultyDynamoDB]:
    """The client of the process that sweeps."""
    dynamodb = FaultyDynamoDB(module_tables.endpoint)
    yield dynamodb
    await dynamodb.close()


@pytest_asyncio.fixture
async def dynamodb(module_tables: StageTables) -> AsyncIterator[DynamoDB]:
    """The client of every other process."""
    dynamodb = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    yield dynamodb
    await dynamodb.close()


async def new_tenant(store: StageTables, dynamodb: DynamoDB) -> TenantWallets:
    wallets = TenantWallets(store, dynamodb)
    await wallets.open(av=1000, gr=1000)
    return wallets


@pytest_asyncio.fixture
async def wallets(module_tables: StageTables, dynamodb: DynamoDB) -> TenantWallets:
    """A tenant with 1000 micro-credits."""
    return await new_tenant(module_tables, dynamodb)


async def hold_of_a_dead_call(wallets: TenantWallets, fate: str) -> Hold:
    """The hold of a call of November, which met its `fate`."""
    hold = await wallets.hold(100)
    if fate == "unsettled last month":
        await wallets.ledger.release(await wallets.hold(1, now=DECEMBER))
    if fate == "entry written":
        await wallets.ledger.record(deduction(hold, 60))
    return hold


@pytest.mark.parametrize("dies", [True, False], ids=["only the entry", "entry and wallet"])
async def test_an_entry_that_arrives_before_the_void_is_charged(
    module_tables: StageTables, sweeper: FaultyDynamoDB, wallets: TenantWallets, dies: bool
) -> None:
    hold = await wallets.hold(100)

    async def arrive() -> None:
        entry = deduction(hold, 60)
        await (wallets.ledger.record(entry) if dies else wallets.ledger.settle(hold, entry))

    sweeper.before("PutItem", arrive)
    report = await sweep(Database(sweeper, module_tables.stage), Micros(EXPIRY), KeyBudgets)

    assert (report.applied, report.voided, sweeper.pending) == (1, 0, 0)
    wallet = await wallets.wallet()
    assert (wallet["h"], wallet["av"]) == ({}, 940)
    assert spent(wallet) == await wallets.charged(hold.call_id) == 60


@pytest.mark.parametrize("late", [False, True], ids=["", "settled late"])
@pytest.mark.parametrize("fault", [Fault.DIE_AFTER, Fault.DIE_IN_FLIGHT])
@pytest.mark.parametrize("fate", REQUESTS)
async def test_a_sweep_that_dies_is_finished_by_the_next(
    module_tables: StageTables, dynamodb: DynamoDB, sweeper: FaultyDynamoDB, fate: str, fault: Fault, late: bool
) -> None:
    for step in range(REQUESTS[fate]):
        wallets = await new_tenant(module_tables, dynamodb)
        hold = await hold_of_a_dead_call(wallets, fate)
        sweeper.faults.extend([None] * step + [fault])
        with suppress(Crash):
            await sweep(Database(sweeper, module_tables.stage), DECEMBER, KeyBudgets)
        assert not sweeper.faults, "the sweep has fewer requests"
        if late:
            await wallets.ledger.settle(hold, deduction(hold, 60))
        await sweep(Database(sweeper, module_tables.stage), Micros(DECEMBER + MINUTE), KeyBudgets)
        while sweeper.late:
            await sweeper.deliver_late(0)

        assert (await sweep(Database(sweeper, module_tables.stage), Micros(DECEMBER + MINUTE), KeyBudgets)).backlog == 0
        wallet, charged = await wallets.wallet(), await wallets.charged(hold.call_id)
        assert (wallet["h"], spent(wallet)) == ({}, charged)
        assert wallet["q_llm"] == (99 if charged and fate != "unsettled last month" else 100)


async def test_a_hold_stands_until_its_expiry_and_not_a_moment_longer(
    module_tables: StageTables, sweeper: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    hold = await wallets.hold(100)

    for early in (SECOND, 1):
        assert (await sweep(Database(sweeper, module_tables.stage), Micros(EXPIRY - early), KeyBudgets)).backlog == 0
    assert (await wallets.wallet())["h"] == {hold.call_id: list(hold.token)}
    assert (await sweep(Database(sweeper, module_tables.stage), Micros(EXPIRY), KeyBudgets)).voided == 1

    wallet = await wallets.wallet()
    assert (wallet["h"], wallet["av"], wallet["q_llm"]) == ({}, 1000, 100)


async def test_a_sweep_that_cannot_apply_an_entry_raises_and_applies_the_others(
    module_tables: StageTables, dynamodb: DynamoDB, sweeper: FaultyDynamoDB
) -> None:
    tenants = [await new_tenant(module_tables, dynamodb) for _ in range(2)]
    for wallets in tenants:
        await hold_of_a_dead_call(wallets, "entry written")

    async def fail() -> None:
        raise Unavailable("injected", indeterminate=False)

    sweeper.before("UpdateItem", *[fail] * 4)
    with pytest.raises(Unavailable):
        await sweep(Database(sweeper, module_tables.stage), Micros(EXPIRY), KeyBudgets)

    assert sorted([spent(await wallets.wallet()) for wallets in tenants]) == [0, 60]
    assert (await sweep(Database(sweeper, module_tables.stage), Micros(EXPIRY), KeyBudgets)).applied == 1
