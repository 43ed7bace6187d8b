"""API models of billing at a glance; docs/api/openapi.json is made from them."""

from typing import Self

from pydantic import BaseModel

from callmissed.clock import MINUTE, Micros, iso, month_end, month_start
from callmissed.ledger.queries import Balance
from callmissed.money import MicroCredits, credits
from callmissed.plans.plans import UNLIMITED, Plan, limits
from callmissed.tenants.tenants import Tenant
from functions.billing.subscriptions.records import Subscription
from functions.billing.subscriptions.schemas import SubscriptionOut

_DAY = 24 * 60 * MINUTE


class UsageOut(BaseModel):
    """A count and its limit; null without a limit."""

    used: int
    limit: int | None


class PlanOut(BaseModel):
    """Limits of a plan; null without a limit. Calls are those of a calendar month (UTC)."""

    monthly_price_inr: int
    calls: dict[str, int | None]
    team_members: int | None
    conversations: int | None
    storage_bytes: int | None
    voice_concurrency: int | None
    default_rate_limit_rpm: int

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """What the plan allows."""
        allowed = limits(plan)
        return cls(
            monthly_price_inr=allowed.monthly_price_inr,
            calls={service: _limit(count) for service, count in allowed.monthly_quotas.items()},
            team_members=_limit(allowed.team_members),
            conversations=_limit(allowed.conversations),
            storage_bytes=_limit(allowed.storage_bytes),
            voice_concurrency=_limit(allowed.voice_concurrency),
            default_rate_limit_rpm=allowed.default_rpm,
        )


class BillingOut(BaseModel):
    """The plan, what was used in the month `period`, and what each plan allows. Money is in credits.

    `spent_credits` is the month to date, and `forecast_credits` the whole month at the same pace: what was spent,
    divided by the share of the month that has passed, which counts as a day at least.
    """

    plan: str
    period: str
    period_start: str
    period_end: str
    credit_balance: float
    spent_credits: float
    forecast_credits: float
    usage: dict[str, UsageOut]
    limits: dict[str, PlanOut]
    subscription: SubscriptionOut

    @classmethod
    def of(cls, tenant: Tenant, money: Balance, subscription: Subscription, now: Micros) -> Self:
        """The tenant's billing at `now`."""
        own, begin, end = PlanOut.of(tenant.plan), month_start(money.month), month_end(money.month)
        usage = {service: UsageOut(used=used, limit=own.calls[service]) for service, used in money.calls_made.items()}
        usage["team_members"] = UsageOut(used=tenant.seats, limit=own.team_members)
        return cls(
            plan=str(tenant.plan),
            period=f"{money.month // 100}-{money.month % 100:02}",
            period_start=iso(begin),
            period_end=iso(end),
            credit_balance=credits(money.available),
            spent_credits=credits(money.spent),
            forecast_credits=credits(forecast(money.spent, begin, end, now)),
            usage=usage,
            limits={str(plan): PlanOut.of(plan) for plan in Plan},
            subscription=SubscriptionOut.of(subscription, now),
        )


def _limit(count: int) -> int | None:
    return None if count >= UNLIMITED else count


def forecast(spent: MicroCredits, begin: Micros, end: Micros, now: Micros) -> MicroCredits:
    """What the period from `begin` to `end` will have cost at the pace of what is `spent` at `now`."""
    elapsed = min(max(now - begin, _DAY), end - begin)
    return MicroCredits(spent * (end - begin) // elapsed)
