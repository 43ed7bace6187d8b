"""API models of plans; docs/api/openapi.json is made from them."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from callmissed.clock import Micros, iso
from callmissed.plans.plans import Plan
from callmissed.web.schemas import Moment, OperatorRequest, RequestModel
from functions.billing.subscriptions.records import Subscription


class Downgrade(RequestModel):
    """The plan that is to follow at the end of what is paid; the tenant's own one cancels that."""

    plan: Plan


class GivenPlan(OperatorRequest):
    """The plan that an operator gives a tenant, without end or until a moment."""

    plan: Plan
    until: Moment | None = Field(default=None, description="ISO 8601 with a time zone; null is without end.")


class SubscriptionOut(BaseModel):
    """A tenant's plan, its current period and what follows. Null: the free plan has no period, and nothing no end.

    `ends_at` is the end of what is paid or was given, `lapses_at` when the plan ends if nothing more is paid.
    `scheduled_plan` follows at the end. `status` is `changing` while the plan is not yet written everywhere.
    """

    plan: str
    status: Literal["free", "active", "grace", "changing"]
    period_start: str | None
    period_end: str | None
    ends_at: str | None
    lapses_at: str | None
    is_renewed: bool
    scheduled_plan: str | None

    @classmethod
    def of(cls, subscription: Subscription, now: Micros) -> Self:
        """The subscription at `now`."""
        free = subscription.is_free
        return cls(
            plan=str(subscription.plan),
            status=_status(subscription, now),
            period_start=None if free else iso(subscription.start),
            period_end=None if free else iso(subscription.end),
            ends_at=_shown(subscription.paid_until),
            lapses_at=_shown(subscription.lapses_at),
            is_renewed=subscription.renewal is not None,
            scheduled_plan=str(subscription.next_plan) if subscription.next_plan else None,
        )


def _status(subscription: Subscription, now: Micros) -> Literal["free", "active", "grace", "changing"]:
    if subscription.pending:
        return "changing"
    if subscription.is_free:
        return "free"
    until = subscription.paid_until
    return "active" if until is None or now < until else "grace"


def _shown(moment: Micros | None) -> str | None:
    return None if moment is None else iso(moment)
