"""Billing at a glance: plan, limits, use, period and forecast, on DynamoDB Local."""

import json

from callmissed.clock import MINUTE, Micros, iso, month_end, month_of, month_start
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from functions.billing.overview.schemas import forecast
from tests.support.people import new_member, new_tenant
from tests.support.sign_in import SettableClock
from tests.support.whole_product import WholeProduct

DAY = 24 * 60 * MINUTE


async def test_billing_shows_plan_usage_and_all_limits(product: WholeProduct, clock: SettableClock) -> None:
    owner = await new_tenant(product, plan=Plan.FREE)
    agent = await new_member(owner, Role.AGENT)
    now = clock()
    await grant(product.database, tenant=owner.tenant, amount=MicroCredits(5 * CREDIT), operation_id="first", now=now)
    await bill(product, owner.tenant)

    billing = json.loads((await agent.call("GET", "/api/v1/tenants/me/billing")).body)

    month = month_of(now)
    assert (billing["plan"], billing["period"]) == ("free", f"{month // 100}-{month % 100:02}")
    assert (billing["period_start"], billing["period_end"]) == (iso(month_start(month)), iso(month_end(month)))
    assert (billing["credit_balance"], billing["spent_credits"]) == (4.0, 1.0)
    begin, end = month_start(month), month_end(month)
    assert billing["forecast_credits"] == forecast(MicroCredits(CREDIT), begin, end, now) / CREDIT
    assert billing["usage"]["llm"] == {"used": 1, "limit": 100}
    assert billing["usage"]["search"] == {"used": 0, "limit": None}
    assert billing["usage"]["team_members"] == {"used": 2, "limit": 2}
    assert list(billing["limits"]) == ["free", "starter", "pro", "enterprise"]
    assert billing["limits"]["enterprise"]["team_members"] is None
    assert billing["limits"]["starter"]["calls"]["llm"] == 5000


def test_forecast_is_what_was_spent_by_the_share_of_the_month_that_has_passed() -> None:
    begin, end = month_start(202611), month_end(202611)
    assert end == begin + 30 * DAY
    spent = MicroCredits(10 * CREDIT)
    assert forecast(spent, begin, end, Micros(begin + 15 * DAY)) == 20 * CREDIT
    assert forecast(spent, begin, end, Micros(begin + MINUTE)) == 300 * CREDIT  # a day at least
    assert forecast(spent, begin, end, Micros(end + DAY)) == spent


async def bill(product: WholeProduct, tenant: str) -> None:
    """One settled call for one credit."""
    now, ledger = product.clock(), Ledger(product.database)
    call_id = new_call_id(now, 20)
    hold, _ = await ledger.hold(tenant, call_id, "llm", MicroCredits(CREDIT))
    entry = LedgerEntry(
        tenant,
        call_id,
        EntryType.DEDUCTION,
        MicroCredits(CREDIT),
        Account.HELD,
        Account.REVENUE,
        now,
        held=(hold.amount, hold.attempt),
    )
    await ledger.settle(hold, entry)
