"""The ledger's hard moments, one by one: answers that are lost, requests that come late, and calls that meet."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from callmissed.aws.attributes import from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, TransactionCanceled, Unavailable
from callmissed.clock import MINUTE, SECOND, Micros, month_of
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger, Settlement
from callmissed.ledger.shards import wallet_id
from callmissed.ledger.sweep import sweep
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.faults import Crash, Fault, FaultyDynamoDB
from tests.support.wallet_items import held, new_wallet, spent

NOVEMBER = Micros(int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * SECOND)
DECEMBER = Micros(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND)
LATE, LOST, NEVER, THROTTLED = Fault.DELAY, Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.THROTTLE
TENANT = "tnt"


class FaultyWallet:
    """One tenant's wallet on a DynamoDB client that fails on demand."""

    def __init__(self, store: StageTables, dynamodb: FaultyDynamoDB) -> None:
        self.stage, self.dynamodb, self.ledger = store.stage, dynamodb, Ledger(Database(dynamodb, store.stage))

    async def open(self, plan: str = "free", **fields: int) -> None:
        wallet = new_wallet(TENANT, plan, month_of(NOVEMBER)) | fields
        await self.dynamodb.call("PutItem", {"TableName": self._table, "Item": to_item(wallet)})

    async def put(self, wallet: dict[str, Any]) -> None:
        await self.dynamodb.call("PutItem", {"TableName": self._table, "Item": to_item(wallet)})

    async def wallet(self, id: str = TENANT) -> dict[str, Any]:
        request = {"TableName": self._table, "Key": to_item({"id": id}), "ConsistentRead": True}
        return from_item((await self.dynamodb.call("GetItem", request))["Item"])

    async def grant(self, amount: int, operation: str = "one") -> bool:
        return await grant(
            Database(self.dynamodb, self.stage),
            tenant=TENANT,
            amount=MicroCredits(amount),
            operation_id=operation,
            now=NOVEMBER,
        )

    async def hold(self, amount: int, *faults: Fault | None, id: str = "") -> Hold:
        self.dynamodb.faults.extend(faults)
        id = id or new_call_id(NOVEMBER, 1)
        hold, _ = await self.ledger.hold(TENANT, id, "llm", MicroCredits(amount))
        return hold

    async def settle(self, hold: Hold, cost: int, *faults: Fault | None) -> Settlement:
        self.dynamodb.faults.extend(faults)
        return await self.ledger.settle(hold, entry_for(hold, cost))

    async def arrive(self) -> None:
        """Let every late request arrive."""
        while self.dynamodb.late:
            await self.dynamodb.deliver_late(0)

    async def sweep(self) -> tuple[int, int, int]:
        report = await sweep(Database(self.dynamodb, self.stage), Micros(NOVEMBER + 5 * MINUTE), KeyBudgets)
        return report.applied, report.voided, report.duplicates

    @property
    def _table(self) -> str:
        return physical_name(self.stage, WALLETS)


def entry_for(hold: Hold, cost: int) -> LedgerEntry:
    token = (hold.amount, hold.attempt)
    kind = EntryType.DEDUCTION
    return LedgerEntry(
        TENANT, hold.call_id, kind, MicroCredits(cost), Account.HELD, Account.REVENUE, NOVEMBER, held=token
    )


@pytest_asyncio.fixture
async def faulty_wallet(tables: StageTables) -> AsyncIterator[FaultyWallet]:
    dynamodb = FaultyDynamoDB(tables.endpoint)
    faulty_wallet = FaultyWallet(tables, dynamodb)
    yield faulty_wallet
    await dynamodb.close()


@pytest_asyncio.fixture
async def funded_wallet(faulty_wallet: FaultyWallet) -> FaultyWallet:
    await faulty_wallet.open()
    await faulty_wallet.grant(1000)
    return faulty_wallet


async def test_a_late_duplicate_of_a_settled_hold_is_given_back(funded_wallet: FaultyWallet) -> None:
    hold = await funded_wallet.hold(100, LATE)
    assert await funded_wallet.settle(hold, 60) is Settlement.APPLIED
    await funded_wallet.dynamodb.deliver_late(0)
    assert held(await funded_wallet.wallet()) == 100, "the late attempt holds again"
    assert await funded_wallet.sweep() == (0, 0, 1)
    wallet = await funded_wallet.wallet()
    assert (wallet["av"], wallet["sp"], wallet["q_llm"]) == (940, 60, 99)


async def test_an_attempt_whose_answer_was_lost_is_recognised(funded_wallet: FaultyWallet) -> None:
    hold = await funded_wallet.hold(100, LOST)
    assert held(await funded_wallet.wallet()) == 100
    assert await funded_wallet.settle(hold, 60) is Settlement.APPLIED
    assert (await funded_wallet.wallet())["av"] == 940


async def test_a_settlement_whose_answers_were_lost_charges_once(funded_wallet: FaultyWallet) -> None:
    hold, unsettled = await funded_wallet.hold(100), await funded_wallet.hold(200)
    assert await funded_wallet.settle(hold, 60, LOST, LATE, LOST, LOST) is Settlement.APPLIED
    await funded_wallet.arrive()
    assert list((await funded_wallet.wallet())["h"]) == [unsettled.call_id]
    assert await funded_wallet.sweep() == (0, 1, 0), "the sweep voids the call that was not settled, and finds no other"
    wallet = await funded_wallet.wallet()
    assert (wallet["av"], spent(wallet), wallet["h"]) == (940, 60, {})


async def test_a_wallet_that_does_not_answer_leaves_the_charge_to_the_sweep(funded_wallet: FaultyWallet) -> None:
    hold = await funded_wallet.hold(100)
    assert await funded_wallet.settle(hold, 60, None, *[NEVER] * 4) is Settlement.PENDING
    assert spent(await funded_wallet.wallet()) == 0
    assert await funded_wallet.sweep() == (1, 0, 0)
    assert spent(await funded_wallet.wallet()) == 60


async def test_a_settlement_after_the_sweep_charges_nothing(funded_wallet: FaultyWallet) -> None:
    hold = await funded_wallet.hold(100)
    assert await funded_wallet.sweep() == (0, 1, 0)
    assert await funded_wallet.settle(hold, 60) is Settlement.VOIDED
    wallet = await funded_wallet.wallet()
    assert (wallet["av"], spent(wallet), wallet["q_llm"]) == (1000, 0, 100)


NOTHING, VOIDED, CHARGED = (0, 0, 0), (0, 1, 0), (1, 0, 0)
DEATHS = pytest.mark.parametrize("fault", [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.DIE_IN_FLIGHT])


@pytest.mark.parametrize(
    ("step", "fault", "swept", "cost"),
    [
        ("hold", Fault.DIE_BEFORE, NOTHING, 0),
        ("hold", Fault.DIE_AFTER, VOIDED, 0),
        ("hold", Fault.DIE_IN_FLIGHT, VOIDED, 0),
        ("entry", Fault.DIE_BEFORE, VOIDED, 0),
        ("entry", Fault.DIE_AFTER, CHARGED, 60),
        ("entry", Fault.DIE_IN_FLIGHT, CHARGED, 60),
        ("wallet", Fault.DIE_BEFORE, CHARGED, 60),
        ("wallet", Fault.DIE_AFTER, NOTHING, 60),
        ("wallet", Fault.DIE_IN_FLIGHT, NOTHING, 60),
    ],
)
async def test_a_process_that_dies_in_a_call_leaks_nothing(
    funded_wallet: FaultyWallet, step: str, fault: Fault, swept: tuple[int, int, int], cost: int
) -> None:
    async def call() -> None:
        hold = await funded_wallet.hold(100, *[None] * ["hold", "entry", "wallet"].index(step), fault)
        await funded_wallet.settle(hold, 60)

    with pytest.raises(Crash):
        await call()
    await funded_wallet.arrive()
    assert await funded_wallet.sweep() == swept
    assert await funded_wallet.sweep() == NOTHING
    wallet = await funded_wallet.wallet()
    assert (wallet["av"], spent(wallet), wallet["h"]) == (1000 - cost, cost, {})


@DEATHS
@pytest.mark.parametrize("step", ["wallets", "entry", "void", "release"])
async def test_sweep_that_dies_leaves_the_rest_to_the_next(
    funded_wallet: FaultyWallet, step: str, fault: Fault
) -> None:
    await funded_wallet.hold(100)
    steps = ["wallets", "entry", "void", "release"]
    funded_wallet.dynamodb.faults.extend([*[None] * steps.index(step), fault])

    with pytest.raises(Crash):
        await funded_wallet.sweep()
    await funded_wallet.arrive()

    done = step == "release" and fault is not Fault.DIE_BEFORE
    assert await funded_wallet.sweep() == (NOTHING if done else VOIDED)
    wallet = await funded_wallet.wallet()
    assert (wallet["av"], spent(wallet), wallet["h"], wallet["q_llm"]) == (1000, 0, {}, 100)


async def test_two_calls_under_one_id_charge_once(funded_wallet: FaultyWallet) -> None:
    first = await funded_wallet.hold(100)
    assert await funded_wallet.settle(first, 60) is Settlement.APPLIED
    second = await funded_wallet.hold(300, id=first.call_id)
    assert await funded_wallet.settle(second, 200) is Settlement.APPLIED
    wallet = await funded_wallet.wallet()
    assert (wallet["av"], spent(wallet), wallet["h"]) == (940, 60, {})


async def test_a_cost_above_the_hold_is_refused(funded_wallet: FaultyWallet) -> None:
    hold = await funded_wallet.hold(100)
    with pytest.raises(ValueError, match="more than its hold"):
        await funded_wallet.settle(hold, 101)
    assert held(await funded_wallet.wallet()) == 100
    assert await funded_wallet.ledger.entry(TENANT, hold.call_id) is None


async def test_an_entry_for_another_attempt_is_refused(funded_wallet: FaultyWallet) -> None:
    hold = await funded_wallet.hold(100)
    other = replace(hold, attempt=hold.attempt + 1)
    with pytest.raises(ValueError, match="another hold"):
        await funded_wallet.ledger.settle(hold, entry_for(other, 60))


@pytest.mark.parametrize("fault", [LOST, NEVER, THROTTLED, LATE])
async def test_a_grant_says_what_it_did_itself(faulty_wallet: FaultyWallet, fault: Fault) -> None:
    await faulty_wallet.open()
    faulty_wallet.dynamodb.faults.extend([fault])
    assert await faulty_wallet.grant(500) is True
    await faulty_wallet.arrive()
    assert await faulty_wallet.grant(500) is False
    assert (await faulty_wallet.wallet())["av"] == 500


async def test_a_grant_that_got_no_answer_can_be_repeated(faulty_wallet: FaultyWallet) -> None:
    await faulty_wallet.open()
    faulty_wallet.dynamodb.faults.extend([None, LOST, *[NEVER] * 3])
    with pytest.raises(Unavailable):
        await faulty_wallet.grant(500)
    assert await faulty_wallet.grant(500) is False
    assert (await faulty_wallet.wallet())["av"] == 500


async def test_a_grant_needs_a_wallet(faulty_wallet: FaultyWallet) -> None:
    with pytest.raises(ApiError, match="No such tenant"):
        await faulty_wallet.grant(500)
    await faulty_wallet.open()
    assert await faulty_wallet.grant(500) is True, "nothing of the failed grant was kept"


async def test_a_tenant_whose_creation_arrives_again_late_keeps_its_credits(faulty_wallet: FaultyWallet) -> None:
    faulty_wallet.dynamodb.faults.extend([LATE])
    made = await create_tenant(
        Database(faulty_wallet.dynamodb, faulty_wallet.stage), name="tests", plan=Plan.FREE, now=NOVEMBER
    )
    tenant = made.tenant_id
    await grant(
        Database(faulty_wallet.dynamodb, faulty_wallet.stage),
        tenant=tenant,
        amount=MicroCredits(500),
        operation_id="one",
        now=NOVEMBER,
    )

    operation, payload = faulty_wallet.dynamodb.late.pop()
    request = json.loads(payload)
    request.pop("ClientRequestToken", None)  # DynamoDB remembers it for ten minutes only
    with suppress(TransactionCanceled):
        await faulty_wallet.dynamodb.call(operation, request)

    assert (await faulty_wallet.wallet(tenant))["av"] == 500


async def test_shards_that_slept_through_the_month_lend_their_new_budget(faulty_wallet: FaultyWallet) -> None:
    used_up = {"bud": 1000, "bl": 0, "sp": 1000, "gr": 11_000, "av": 10_000}
    await faulty_wallet.open("enterprise", **used_up)
    for shard in range(1, 4):
        await faulty_wallet.put(new_wallet(wallet_id(TENANT, shard), "enterprise", month_of(NOVEMBER)) | used_up)
    for call in range(4):
        id = new_call_id(DECEMBER, 1, random_bits=0)
        hold, _ = await faulty_wallet.ledger.hold(
            TENANT, id[:-1] + "0123"[call], "llm", MicroCredits(900 if call else 1300), shards=4
        )
        assert hold.amount in (900, 1300)
    with pytest.raises(ApiError) as refused:
        await faulty_wallet.ledger.hold(TENANT, new_call_id(DECEMBER, 1), "llm", MicroCredits(1), shards=4)
    assert refused.value.code == "budget_exceeded"
    shards = [await faulty_wallet.wallet(wallet_id(TENANT, shard)) for shard in range(4)]
    assert sum(wallet["bud"] for wallet in shards) == 4000
    assert all(wallet["bl"] + held(wallet) + wallet["sp"] == wallet["bud"] for wallet in shards)


@pytest.mark.parametrize("amount", [0, -1, 10**18])
async def test_a_grant_of_an_amount_that_is_a_slip_is_refused(faulty_wallet: FaultyWallet, amount: int) -> None:
    await faulty_wallet.open()

    with pytest.raises(ValueError, match="at least one micro-credit"):
        await faulty_wallet.grant(amount)

    assert (await faulty_wallet.wallet())["gr"] == 0


async def test_a_hold_ends_when_the_month_is_another_each_time(faulty_wallet: FaultyWallet) -> None:
    await faulty_wallet.open(av=1000, gr=1000)
    wallet = await faulty_wallet.wallet()
    writer = DynamoDB("us-east-1", faulty_wallet.dynamodb.endpoint, timeout_seconds=30.0)

    async def turn(month: int) -> None:
        item = to_item(wallet | {"mon": month})
        await writer.call("PutItem", {"TableName": physical_name(faulty_wallet.stage, WALLETS), "Item": item})

    months = [partial(turn, month) for month in range(203001, 203007)]
    faulty_wallet.dynamodb.before("UpdateItem", *months)
    with pytest.raises(Unavailable):
        await faulty_wallet.hold(100)
    await writer.close()

    assert faulty_wallet.dynamodb.pending == 0
    assert (await faulty_wallet.wallet())["h"] == {}


async def test_entry_that_is_there_is_not_written_again(faulty_wallet: FaultyWallet) -> None:
    await faulty_wallet.open(av=1000, gr=1000)
    first = entry_for(await faulty_wallet.hold(100), 40)
    await faulty_wallet.ledger.record(first)

    await faulty_wallet.ledger.record(replace(first, amount=MicroCredits(50)))

    assert await faulty_wallet.ledger.entry(first.tenant, first.entry_id) == first


async def test_a_hold_that_an_entry_of_another_attempt_settles_is_left_to_the_sweep(
    faulty_wallet: FaultyWallet,
) -> None:
    await faulty_wallet.open(av=1000, gr=1000)
    hold = await faulty_wallet.hold(100)
    await faulty_wallet.ledger.record(replace(entry_for(hold, 40), held=(hold.amount, hold.attempt + 1)))

    assert await faulty_wallet.settle(hold, 40, None, *[NEVER] * 8) is Settlement.PENDING
    faulty_wallet.dynamodb.faults.clear()

    assert held(await faulty_wallet.wallet()) == 100
