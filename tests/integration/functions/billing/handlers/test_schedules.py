"""The two schedules of the ledger as Lambda runs them: what they do, what they measure, when they raise."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from callmissed.aws.attributes import from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.aws.runtime import InvocationFailedError
from callmissed.clock import MINUTE, Micros, iso, system_clock
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger, Settlement
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS, WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from functions.billing.handlers import ledger_reconcile, ledger_sweep
from local.aws.tables import StageTables
from tests.support.logs import written_logs

T = TypeVar("T")


class BilledTenant:
    """A tenant in the stage that the handlers find in their environment."""

    def __init__(self, store: StageTables) -> None:
        self._loop = asyncio.new_event_loop()
        self._stage = store.stage
        self._tenants = physical_name(store.stage, TENANTS)
        self._dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.now = system_clock()
        made = create_tenant(Database(self._dynamodb, store.stage), name="tests", plan=Plan.PRO, now=self.now)
        self.tenant: str = self._run(made).tenant_id
        self._run(
            grant(
                Database(self._dynamodb, store.stage),
                tenant=self.tenant,
                amount=MicroCredits(1000),
                operation_id="one",
                now=self.now,
            )
        )

    def hold(self) -> None:
        ledger = Ledger(Database(self._dynamodb, self._stage))
        self._run(ledger.hold(self.tenant, new_call_id(self.now, 1), "llm", MicroCredits(100)))

    def charge(self, cost: int, began: int) -> None:
        ledger = Ledger(Database(self._dynamodb, self._stage))
        hold, _ = self._run(ledger.hold(self.tenant, new_call_id(Micros(began), 1), "llm", MicroCredits(100)))
        entry = LedgerEntry(
            self.tenant,
            hold.call_id,
            EntryType.DEDUCTION,
            MicroCredits(cost),
            Account.HELD,
            Account.REVENUE,
            Micros(began),
            held=(hold.amount, hold.attempt),
        )
        assert self._run(ledger.settle(hold, entry)) is Settlement.APPLIED

    def reconciled(self) -> int:
        """The sum of final charges that the last night remembered."""
        key = to_item({"tenant": self.tenant, "item": "RECONCILED"})
        answer = self._run(self._dynamodb.call("GetItem", {"TableName": self._tenants, "Key": key}))
        return from_item(answer["Item"])["charged"]

    def tamper(self) -> None:
        request: dict[str, Any] = {
            "TableName": physical_name(self._stage, WALLETS),
            "Key": to_item({"id": self.tenant}),
            "UpdateExpression": "SET sp = sp + :one",
            "ExpressionAttributeValues": to_item({":one": 1}),
        }
        self._run(self._dynamodb.call("UpdateItem", request))

    def close(self) -> None:
        self._run(self._dynamodb.close())
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)


@pytest.fixture
def billed_tenant(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> Iterator[BilledTenant]:
    monkeypatch.setenv("CALLMISSED_STAGE", tables.stage)
    monkeypatch.setenv("CALLMISSED_DYNAMODB_ENDPOINT", tables.endpoint)
    billed_tenant = BilledTenant(tables)
    yield billed_tenant
    billed_tenant.close()


def event(schedule: str, micros: int) -> dict[str, str]:
    """What EventBridge Scheduler sends."""
    return {"schedule": schedule, "at": iso(Micros(micros))}


def metrics(printed: str) -> dict[str, float]:
    """CloudWatch metrics among the printed lines."""
    measured: dict[str, float] = {}
    for line in map(json.loads, filter(lambda text: text.startswith("{"), printed.splitlines())):
        for group in line.get("_aws", {}).get("CloudWatchMetrics", []):
            measured |= {metric["Name"]: line[metric["Name"]][0] for metric in group["Metrics"]}
    return measured


def test_the_sweep_measures_its_backlog(billed_tenant: BilledTenant, capsys: pytest.CaptureFixture[str]) -> None:
    billed_tenant.hold()
    swept = ledger_sweep.handler(event("hold-sweep", billed_tenant.now + 2 * MINUTE), None)
    assert swept == {"wallets": 1, "applied": 0, "voided": 1, "duplicates": 0}
    assert metrics(capsys.readouterr().out)["HoldSweepBacklog"] == 1
    ledger_sweep.handler(event("hold-sweep", billed_tenant.now + 3 * MINUTE), None)
    assert metrics(capsys.readouterr().out)["HoldSweepBacklog"] == 0


def test_a_night_without_drift_measures_zero(billed_tenant: BilledTenant, capsys: pytest.CaptureFixture[str]) -> None:
    billed_tenant.hold()
    billed_tenant.charge(60, began=billed_tenant.now - 120 * MINUTE)
    assert ledger_reconcile.handler(event("ledger-reconcile", billed_tenant.now), None) == {"tenants": 1, "drifts": 0}
    assert metrics(capsys.readouterr().out)["LedgerDrift"] == 0
    assert billed_tenant.reconciled() == 60, "the night has summed what the tenant was charged"


def test_a_drift_is_measured_and_logged(
    billed_tenant: BilledTenant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(ledger_reconcile._logger, "error", lambda _, extra: logged.append(extra))
    billed_tenant.tamper()
    assert ledger_reconcile.handler(event("ledger-reconcile", billed_tenant.now), None) == {"tenants": 1, "drifts": 1}
    assert metrics(capsys.readouterr().out)["LedgerDrift"] == 1
    drift = {
        "tenant": billed_tenant.tenant,
        "spent": 1,
        "charged": 0,
        "granted": 1000,
        "credited": 1000,
        "imbalance": 2,
        "returned": 0,
        "debited": 0,
    }
    assert logged == [drift]


def test_a_night_that_could_not_read_everything_fails_after_it_measured(
    billed_tenant: BilledTenant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = DynamoDB.call

    async def unwell(self: DynamoDB, operation: str, request: dict[str, Any], **options: Any) -> dict[str, Any]:
        if operation == "Query":
            raise Unavailable("throttled", indeterminate=False)
        return await call(self, operation, request, **options)

    monkeypatch.setattr(DynamoDB, "call", unwell)
    with written_logs() as logs, pytest.raises(InvocationFailedError):
        ledger_reconcile.handler(event("ledger-reconcile", billed_tenant.now), None)
    assert "1 of 1 tenants could not be compared" in logs.text
    assert metrics(capsys.readouterr().out)["LedgerDrift"] == 0


@pytest.mark.parametrize("handler", [ledger_sweep.handler, ledger_reconcile.handler])
@pytest.mark.parametrize("wrong", [{}, {"at": "yesterday"}])
def test_an_event_without_a_time_is_an_error(billed_tenant: BilledTenant, handler: Any, wrong: dict[str, str]) -> None:
    with pytest.raises(InvocationFailedError):
        handler(wrong, None)
