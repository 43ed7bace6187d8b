"""The reconciliation finds what does not add up, and nothing else, on DynamoDB Local."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import MINUTE, Micros, system_clock
from callmissed.ids import new_call_id
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger
from callmissed.ledger.reconcile import Drift, reconcile
from callmissed.ledger.shards import read_wallets
from callmissed.ledger.sweep import sweep
from callmissed.ledger.wallet import Wallet
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import LEDGER, TENANTS, WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables

GRANTED = 1_000_000


@pytest.fixture
async def dynamodb(tables: StageTables) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", tables.endpoint)
    yield client
    await client.close()


async def _tenant(dynamodb: DynamoDB, stage: str, plan: Plan = Plan.PRO) -> str:
    now = system_clock()
    tenant = (await create_tenant(Database(dynamodb, stage), name="reconciled", plan=plan, now=now)).tenant_id
    await grant(Database(dynamodb, stage), tenant=tenant, amount=MicroCredits(GRANTED), operation_id="first", now=now)
    return tenant


async def _hold(ledger: Ledger, tenant: str, plan: Plan = Plan.PRO, *, started: int | None = None) -> Hold:
    call_id = new_call_id(Micros(started or system_clock()), 20)
    return (await ledger.hold(tenant, call_id, "llm", MicroCredits(1_000), shards=limits(plan).wallet_shards))[0]


def _entry(hold: Hold, cost: int) -> LedgerEntry:
    return LedgerEntry(
        hold.tenant,
        hold.call_id,
        EntryType.DEDUCTION,
        MicroCredits(cost),
        Account.HELD,
        Account.REVENUE,
        system_clock(),
        held=(hold.amount, hold.attempt),
    )


def _drift(tenant: str, *amounts: int) -> Drift:
    return Drift(tenant, *map(MicroCredits, amounts))


async def _wallets(dynamodb: DynamoDB, stage: str, tenant: str, plan: Plan) -> list[Wallet]:
    return await read_wallets(Database(dynamodb, stage), tenant, limits(plan).wallet_shards)


async def _entries(dynamodb: DynamoDB, stage: str, tenant: str) -> list[Item]:
    request = {
        "TableName": physical_name(stage, LEDGER),
        "KeyConditionExpression": "tenant = :tenant",
        "ExpressionAttributeValues": to_item({":tenant": tenant}),
        "ConsistentRead": True,
    }
    return [from_item(item) for item in (await dynamodb.call("Query", request))["Items"]]


async def _tamper(dynamodb: DynamoDB, table: str, key: dict[str, str], name: str, value: int) -> None:
    request: dict[str, Any] = {
        "TableName": table,
        "Key": to_item(key),
        "UpdateExpression": "SET #name = #name + :value",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": to_item({":value": value}),
    }
    await dynamodb.call("UpdateItem", request)


@pytest.mark.parametrize("plan", [Plan.PRO, Plan.ENTERPRISE])
async def test_calls_of_every_fate_are_no_drift(tables: StageTables, dynamodb: DynamoDB, plan: Plan) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage, plan)
    long_ago = system_clock() - 120 * MINUTE
    for cost in (0, 400, 1_000):
        await ledger.settle(hold := await _hold(ledger, tenant, plan), _entry(hold, cost))
        await ledger.settle(hold := await _hold(ledger, tenant, plan, started=long_ago), _entry(hold, cost))
    await ledger.release(await _hold(ledger, tenant, plan))
    await _hold(ledger, tenant, plan, started=long_ago)
    standing = await _hold(ledger, tenant, plan)
    report = await sweep(Database(dynamodb, tables.stage), system_clock(), KeyBudgets)
    assert (report.applied, report.voided, report.duplicates) == (0, 1, 0)
    entries = Counter((entry["type"], entry["amount"]) for entry in await _entries(dynamodb, tables.stage, tenant))
    assert entries == {("admin", GRANTED): 1, ("void", 0): 1, **{("deduction", cost): 2 for cost in (0, 400, 1_000)}}
    wallets = await _wallets(dynamodb, tables.stage, tenant, plan)
    assert sum(wallet.available for wallet in wallets) == GRANTED - 2_800 - standing.amount
    assert sum(wallet.spent_ever for wallet in wallets) == 2_800
    assert [call_id for wallet in wallets for call_id in wallet.holds] == [standing.call_id]
    for _ in range(2):
        report = await reconcile(Database(dynamodb, tables.stage), system_clock())
        assert (report.tenants, report.drifts) == (1, [])


async def test_a_call_between_entry_and_wallet_is_no_drift(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    hold = await _hold(ledger, tenant)
    await ledger.record(_entry(hold, 400))
    assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == []
    await ledger.apply(hold, MicroCredits(400))
    assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == []


async def test_calls_that_run_meanwhile_are_no_drift(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage, Plan.ENTERPRISE)

    async def call() -> None:
        hold = await _hold(ledger, tenant, Plan.ENTERPRISE)
        await ledger.settle(hold, _entry(hold, 300))

    calls = asyncio.gather(*(call() for _ in range(40)))
    reports = [await reconcile(Database(dynamodb, tables.stage), system_clock()) for _ in range(5)]
    await calls
    reports.append(await reconcile(Database(dynamodb, tables.stage), system_clock()))
    assert [report.drifts for report in reports] == [[]] * 6


@pytest.mark.parametrize(("name", "expected"), [("sp", (401, 400)), ("gr", (400, 400))])
async def test_a_tampered_wallet_is_found_every_night(
    tables: StageTables, dynamodb: DynamoDB, name: str, expected: tuple[int, int]
) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    await ledger.settle(hold := await _hold(ledger, tenant), _entry(hold, 400))
    await _tamper(dynamodb, physical_name(tables.stage, WALLETS), {"id": tenant}, name, 1)
    granted = GRANTED + (name == "gr")
    imbalance = 2 if name == "sp" else 1  # what is spent stands in both equations
    drift = _drift(tenant, *expected, granted, GRANTED, imbalance)
    for _ in range(2):
        assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == [drift]


async def test_a_tampered_entry_is_found(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    await ledger.settle(hold := await _hold(ledger, tenant), _entry(hold, 400))
    key = {"tenant": tenant, "entry": hold.call_id}
    await _tamper(dynamodb, physical_name(tables.stage, LEDGER), key, "amount", 5)
    drifts = (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts
    assert drifts == [_drift(tenant, 400, 405, GRANTED, GRANTED)]


@pytest.mark.parametrize("name", ["av", "bl", "bud"])
async def test_a_wallet_that_contradicts_itself_is_found(tables: StageTables, dynamodb: DynamoDB, name: str) -> None:
    tenant = await _tenant(dynamodb, tables.stage)
    await _tamper(dynamodb, physical_name(tables.stage, WALLETS), {"id": tenant}, name, 7)
    drifts = (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts
    assert drifts == [_drift(tenant, 0, 0, GRANTED, GRANTED, 7)]


async def test_a_missing_entry_is_found(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    await ledger.settle(hold := await _hold(ledger, tenant), _entry(hold, 400))
    key = to_item({"tenant": tenant, "entry": hold.call_id})
    await dynamodb.call("DeleteItem", {"TableName": physical_name(tables.stage, LEDGER), "Key": key})
    drifts = (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts
    assert drifts == [_drift(tenant, 400, 0, GRANTED, GRANTED)]


async def test_a_drift_is_found_beside_healthy_tenants(tables: StageTables, dynamodb: DynamoDB) -> None:
    healthy = [await _tenant(dynamodb, tables.stage, plan) for plan in (Plan.PRO, Plan.ENTERPRISE)]
    tenant = await _tenant(dynamodb, tables.stage)
    await _tamper(dynamodb, physical_name(tables.stage, WALLETS), {"id": tenant}, "gr", 1)
    report = await reconcile(Database(dynamodb, tables.stage), system_clock())
    assert report.tenants == len(healthy) + 1
    assert [drift.tenant for drift in report.drifts] == [tenant]


async def test_a_call_that_settles_long_after_it_began_is_no_drift(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    long_ago = system_clock() - 120 * MINUTE
    early = await _hold(ledger, tenant, started=long_ago)
    await ledger.settle(later := await _hold(ledger, tenant, started=long_ago + MINUTE), _entry(later, 400))
    await ledger.release(early)
    assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == []
    again = (await ledger.hold(tenant, early.call_id, "llm", MicroCredits(1_000)))[0]
    await ledger.settle(again, _entry(again, 300))
    for _ in range(2):
        assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == []


async def test_a_charge_that_waits_for_a_late_sweep_is_no_drift(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    hold = await _hold(ledger, tenant, started=system_clock() - 120 * MINUTE)
    await ledger.record(_entry(hold, 400))
    for _ in range(2):
        assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == []
    await sweep(Database(dynamodb, tables.stage), system_clock(), KeyBudgets)
    assert (await reconcile(Database(dynamodb, tables.stage), system_clock())).drifts == []


async def test_a_tenant_that_cannot_be_read_hides_no_other(
    tables: StageTables, dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, drifted = await _tenant(dynamodb, tables.stage, Plan.ENTERPRISE), await _tenant(dynamodb, tables.stage)
    await _tamper(dynamodb, physical_name(tables.stage, WALLETS), {"id": drifted}, "gr", 1)
    send = dynamodb.send

    async def meet_calls(operation: str, payload: bytes) -> dict[str, Any]:
        if operation == "TransactGetItems":
            raise Unavailable("transaction cancelled: TransactionConflict", indeterminate=False)
        return await send(operation, payload)

    monkeypatch.setattr(dynamodb, "send", meet_calls)
    report = await reconcile(Database(dynamodb, tables.stage), system_clock())
    assert report.unread == [busy]
    assert [drift.tenant for drift in report.drifts] == [drifted]


async def test_final_entries_are_summed_once(tables: StageTables, dynamodb: DynamoDB) -> None:
    ledger = Ledger(Database(dynamodb, tables.stage))
    tenant = await _tenant(dynamodb, tables.stage)
    await ledger.settle(hold := await _hold(ledger, tenant), _entry(hold, 400))
    tomorrow = system_clock() + 24 * 60 * MINUTE
    assert (await reconcile(Database(dynamodb, tables.stage), Micros(tomorrow))).drifts == []
    mark = to_item({"tenant": tenant, "item": "RECONCILED"})
    answer = await dynamodb.call("GetItem", {"TableName": physical_name(tables.stage, TENANTS), "Key": mark})
    assert answer["Item"]["charged"] == {"N": "400"}
    assert answer["Item"]["upto"] == {"S": hold.call_id}
    await _tamper(dynamodb, physical_name(tables.stage, LEDGER), {"tenant": tenant, "entry": hold.call_id}, "amount", 5)
    assert (await reconcile(Database(dynamodb, tables.stage), Micros(tomorrow))).drifts == []
