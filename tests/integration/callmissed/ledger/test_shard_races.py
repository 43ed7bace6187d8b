"""Shards that borrow while calls, late requests and conflicts come between the read and the move."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.errors import ApiError
from callmissed.ledger.holds import Hold, Ledger
from callmissed.ledger.records import status_operation
from callmissed.ledger.shards import Shards
from callmissed.money import NOTHING, MicroCredits
from local.aws.tables import StageTables
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.tenant_wallets import NOVEMBER, TenantWallets, call_in
from tests.support.wallet_items import held

SHARDS = 2
BORROW = [None, None]
"""Requests of a hold before its move: the write that the shard refuses, and the read of all shards."""


@pytest_asyncio.fixture
async def borrower(module_tables: StageTables) -> AsyncIterator[FaultyDynamoDB]:
    """The client of the process whose call borrows."""
    dynamodb = FaultyDynamoDB(module_tables.endpoint)
    yield dynamodb
    await dynamodb.close()


@pytest_asyncio.fixture
async def wallets(module_tables: StageTables) -> AsyncIterator[TenantWallets]:
    """A tenant without wallets yet, as every other process sees it."""
    dynamodb = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    yield TenantWallets(module_tables, dynamodb, shards=SHARDS)
    await dynamodb.close()


async def open_all(wallets: TenantWallets, fields: Mapping[str, int]) -> None:
    for shard in range(SHARDS):
        await wallets.open("enterprise", shard=shard, **fields)


async def borrow(store: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets, amount: int) -> Hold:
    """Hold `amount` micro-credits in shard 1, which must borrow."""
    ledger = Ledger(Database(borrower, store.stage))
    hold, _ = await ledger.hold(wallets.tenant, call_in(1), "llm", MicroCredits(amount), shards=SHARDS)
    return hold


async def test_a_shard_that_is_created_late_does_not_replace_the_one_that_has_credits(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    await wallets.open("enterprise", av=1000, gr=1000)
    borrower.faults.extend([*BORROW, Fault.DELAY])
    hold = await borrow(module_tables, borrower, wallets, 100)
    before = await wallets.wallet(1)

    assert [operation for operation, _ in borrower.late] == ["TransactWriteItems"]
    await borrower.deliver_late(0)

    assert await wallets.wallet(1) == before
    assert (before["av"], before["h"]) == (450, {hold.call_id: list(hold.token)})


async def test_a_shard_that_is_created_while_the_tenant_is_stopped_is_closed(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    await wallets.open("enterprise", av=1000, gr=1000)
    closed = status_operation(wallets.tenant, "suspended")
    database = Database(borrower, module_tables.stage)
    borrower.before("TransactWriteItems", lambda: database.write_if(closed))

    with pytest.raises(ApiError) as refused:
        await borrow(module_tables, borrower, wallets, 100)

    assert (refused.value.code, borrower.pending) == ("account_inactive", 0)
    assert [(await wallets.wallet(shard))["st"] for shard in range(SHARDS)] == ["suspended"] * SHARDS


@pytest.mark.parametrize(
    "fields", [{"av": 1000, "gr": 1000}, {"av": 9000, "gr": 9000, "bud": 1000, "bl": 1000}], ids=["credits", "budget"]
)
async def test_a_shard_gives_only_what_calls_have_left_it_since_it_was_read(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets, fields: dict[str, int]
) -> None:
    await open_all(wallets, fields)
    borrower.before("TransactWriteItems", lambda: wallets.hold(400))

    await borrow(module_tables, borrower, wallets, 1500)

    assert (borrower.pending, borrower.sent["TransactWriteItems"]) == (0, 2)
    giver, taker = [await wallets.wallet(shard) for shard in range(SHARDS)]
    assert (held(giver), held(taker)) == (400, 1500)
    left = "bl" if "bud" in fields else "av"
    assert (giver[left], taker[left]) == (50, 50)


@pytest.mark.parametrize("conflicts", [1, 4], ids=["once", "until the client gives up"])
async def test_a_move_that_meets_other_transactions_is_tried_again(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets, conflicts: int
) -> None:
    await open_all(wallets, {"av": 1000, "gr": 1000})
    borrower.faults.extend([*BORROW, *[Fault.CONFLICT] * conflicts])

    hold = await borrow(module_tables, borrower, wallets, 1500)

    assert not borrower.faults
    assert (await wallets.wallet(1))["h"] == {hold.call_id: list(hold.token)}


async def test_a_call_that_others_keep_outrunning_gets_no_error_about_credits(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    await open_all(wallets, {"av": 10_000, "gr": 10_000})

    async def outrun() -> None:
        if borrower.sent["TransactWriteItems"]:
            await wallets.hold((await wallets.wallet(1))["av"] - 10_999, shard=1)

    borrower.before("UpdateItem", *[outrun] * 4)
    with pytest.raises(Unavailable):
        await borrow(module_tables, borrower, wallets, 11_000)

    assert borrower.pending == 0
    assert sum([(await wallets.wallet(shard))["av"] for shard in range(SHARDS)]) >= 11_000


async def test_a_borrow_ends_when_others_change_the_shards_each_time(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    await open_all(wallets, {"av": 1_000_000, "gr": 1_000_000})
    need = 1_000_100

    async def take_a_little_more_than_is_left() -> None:
        rest = sum([(await wallets.wallet(shard))["av"] for shard in range(SHARDS)]) - need
        await wallets.hold(rest // 2 + 1)

    borrower.before("TransactWriteItems", *[take_a_little_more_than_is_left] * 10)
    with pytest.raises(Unavailable):
        await borrow(module_tables, borrower, wallets, need)

    assert (borrower.pending, borrower.sent["TransactWriteItems"]) == (0, 10)
    assert held(await wallets.wallet(1)) == 0


async def test_wallets_of_a_tenant_that_has_none_are_not_made_up(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    with pytest.raises(Unavailable):
        await borrow(module_tables, borrower, wallets, 100)

    assert borrower.sent["PutItem"] == 0


async def test_shards_that_are_level_already_need_no_transaction(
    module_tables: StageTables, borrower: FaultyDynamoDB, wallets: TenantWallets
) -> None:
    await open_all(wallets, {"av": 1000, "gr": 1000})

    await Shards(Database(borrower, module_tables.stage)).borrow(wallets.tenant, 1, SHARDS, "llm", NOTHING, NOVEMBER)

    assert borrower.sent["TransactWriteItems"] == 0
    assert [(await wallets.wallet(shard))["av"] for shard in range(SHARDS)] == [1000, 1000]
