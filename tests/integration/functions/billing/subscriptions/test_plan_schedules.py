"""The schedules of plans and months as Lambda runs them."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.aws.runtime import InvocationFailedError
from callmissed.clock import Micros, iso, month_of, seconds_to_next_month, system_clock
from callmissed.ledger.shards import all_wallets
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import BILLING
from callmissed.tenants.tenants import create_tenant, get_tenant
from functions.billing.handlers import month_turn, subscription_sweep
from functions.billing.subscriptions.records import Subscription, to_subscription_record
from local.aws.tables import StageTables
from tests.support.logs import metrics_of

T = TypeVar("T")


class ScheduledStage:
    """The stage that the handlers find in their environment."""

    def __init__(self, store: StageTables) -> None:
        self._loop = asyncio.new_event_loop()
        self.database = Database(DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0), store.stage)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def tenant(self, plan: Plan) -> str:
        return self.run(create_tenant(self.database, name="tests", plan=plan, now=system_clock())).tenant_id

    def close(self) -> None:
        self.run(self.database.close())
        self._loop.close()


@pytest.fixture
def stage(all_tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScheduledStage]:
    monkeypatch.setenv("CALLMISSED_STAGE", all_tables.stage)
    monkeypatch.setenv("CALLMISSED_DYNAMODB_ENDPOINT", all_tables.endpoint)
    stage = ScheduledStage(all_tables)
    yield stage
    stage.close()


def test_the_sweep_completes_a_change_and_reports_a_tenant_that_is_gone(stage: ScheduledStage) -> None:
    now = system_clock()
    tenant = stage.tenant(Plan.FREE)
    for each in (tenant, "tnt_gone"):
        pending = Subscription(each, Plan.STARTER, now, pending=True, revision=1)
        stage.run(stage.database.put(BILLING, to_subscription_record(pending, now)))

    report = subscription_sweep.handler({"schedule": "subscription-sweep", "at": iso(Micros(now + 1_000_000))}, None)

    assert report == {"due": 2, "failed": 1}
    assert stage.run(get_tenant(stage.database, tenant, consistent=True)).plan is Plan.STARTER


def test_the_sweep_measures_what_it_could_not_bring_up_to_date(
    stage: ScheduledStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm `SubscriptionSweepFailures` watches this metric."""
    now = system_clock()
    event = {"schedule": "subscription-sweep", "at": iso(Micros(now + 1_000_000))}
    tenant = stage.tenant(Plan.FREE)
    for each in (tenant, "tnt_gone", "tnt_gone_too"):
        pending = Subscription(each, Plan.STARTER, now, pending=True, revision=1)
        stage.run(stage.database.put(BILLING, to_subscription_record(pending, now)))

    subscription_sweep.handler(event, None)
    assert metrics_of(capsys.readouterr().out, "SubscriptionSweepFailures") == [2]

    subscription_sweep.handler(event, None)
    assert metrics_of(capsys.readouterr().out, "SubscriptionSweepFailures") == [2], "until somebody sees to them"

    for gone in ("tnt_gone", "tnt_gone_too"):
        record = to_subscription_record(Subscription(gone, Plan.STARTER, now, pending=True, revision=1), now)
        stage.run(stage.database.delete_if(BILLING, {"id": record["id"], "item": record["item"]}))
    subscription_sweep.handler(event, None)
    assert metrics_of(capsys.readouterr().out, "SubscriptionSweepFailures") == [0]


def test_the_sweep_that_can_not_read_fails_as_a_whole(
    stage: ScheduledStage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the schedule tries again, and the run becomes a dead letter, which has an alarm too."""

    async def refused(*_: Any, **__: Any) -> dict[str, Any]:
        raise Unavailable("throttled", indeterminate=False)

    monkeypatch.setattr(DynamoDB, "call", refused)
    with pytest.raises(InvocationFailedError):
        subscription_sweep.handler({"schedule": "subscription-sweep", "at": iso(system_clock())}, None)
    assert metrics_of(capsys.readouterr().out, "SubscriptionSweepFailures") == []


def test_the_month_turns_for_paid_plans_and_a_repeat_does_nothing(stage: ScheduledStage) -> None:
    paid, free = stage.tenant(Plan.STARTER), stage.tenant(Plan.FREE)
    now = system_clock()
    later = Micros(now + (seconds_to_next_month(now) + 60) * 1_000_000)
    event = {"schedule": "month-turn", "at": iso(later)}

    first, second = month_turn.handler(event, None), month_turn.handler(event, None)

    assert (first, second) == (
        {"behind": 1, "drained": 0, "finished": True},
        {"behind": 0, "drained": 0, "finished": True},
    )
    (turned,) = stage.run(all_wallets(stage.database, paid))
    assert (turned.month, turned.quotas["llm"]) == (month_of(later), limits(Plan.STARTER).monthly_quotas["llm"])
    (waiting,) = stage.run(all_wallets(stage.database, free))
    assert waiting.month == month_of(now)
