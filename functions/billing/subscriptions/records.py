"""Subscriptions as the table `billing` stores them: one item a tenant.

    <tenant>   SUBSCRIPTION   plan, period, what is paid and what is scheduled; in the index `due` at its next boundary

A tenant without an item has the plan of its record, without end. `revision` counts the changes; each is written on the
condition that it is the next one, so changes of one tenant are made one after the other.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, Micros, iso
from callmissed.money import MicroCredits, Paise
from callmissed.plans.plans import Plan
from functions.billing.subscriptions.periods import period_start

SUBSCRIPTION = "SUBSCRIPTION"
DAY = 24 * 60 * MINUTE
GRACE = 3 * DAY
"""How long a plan goes on unpaid after its end."""

RENEWABLE = 7 * DAY
"""How long before its end a plan may be renewed."""

_SHARDS = 4
DUE_SHARDS = tuple(f"subscription#{shard}" for shard in range(_SHARDS))


@dataclass(frozen=True, slots=True)
class PlanPurchase:
    """A period of a plan that an order paid for: its full price, and the credits that come with it."""

    order_id: str
    plan: Plan
    price: Paise
    credits: MicroCredits


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which plan a tenant has, since `anchor` and in period `period`.

    `paid_until` is None where the plan has no end: the free one, and one that an operator gave. `bought` is what paid
    the current period, `renewal` what pays the next one; both None where nothing was paid. `next_plan` follows at the
    end of what is paid. `had` are the plans of which the tenant ever had a period. While `pending`, the plan is not yet
    written everywhere.
    """

    tenant: str
    plan: Plan
    anchor: Micros
    period: int = 0
    paid_until: Micros | None = None
    bought: PlanPurchase | None = None
    renewal: PlanPurchase | None = None
    next_plan: Plan | None = None
    had: frozenset[str] = frozenset()
    pending: bool = False
    revision: int = 0

    @property
    def start(self) -> Micros:
        """First moment of the current period."""
        return period_start(self.anchor, self.period)

    @property
    def end(self) -> Micros:
        """First moment after the current period."""
        return period_start(self.anchor, self.period + 1)

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to pay, and no period."""
        return self.plan is Plan.FREE

    @property
    def lapses_at(self) -> Micros | None:
        """When the plan ends if nothing more is paid: after the grace of a bought one. None without end."""
        if self.paid_until is None:
            return None
        return Micros(self.paid_until + GRACE) if self.bought else self.paid_until

    def due_after(self, now: Micros) -> Micros | None:
        """The next moment at which something may have to be done."""
        if self.pending:
            return now
        if self.is_free:
            return None
        moments = (self.end, self.paid_until, self.lapses_at)
        return min((moment for moment in moments if moment is not None and moment > now), default=None)


def subscription_key(tenant: str) -> Item:
    """Key of a tenant's subscription."""
    return {"id": tenant, "item": SUBSCRIPTION}


def due_shard(tenant: str) -> str:
    """Partition of the index `due`."""
    return DUE_SHARDS[sum(tenant.encode()) % _SHARDS]


def to_subscription_record(subscription: Subscription, due: Micros | None) -> Item:
    """The item of a subscription that is to be looked at again at `due`."""
    values = {each.name: getattr(subscription, each.name) for each in fields(Subscription) if each.name != "tenant"}
    purchases = {name: _purchase_record(values[name]) for name in ("bought", "renewal")}
    next_plan = str(subscription.next_plan) if subscription.next_plan else None
    item = {**values, **purchases, "plan": str(subscription.plan), "next_plan": next_plan}
    stored = {name: value for name, value in item.items() if value is not None and value != frozenset()}
    return {
        **subscription_key(subscription.tenant),
        **stored,
        **({} if due is None else {"due": iso(due), "shard": due_shard(subscription.tenant)}),
    }


def _purchase_record(purchase: PlanPurchase | None) -> Item | None:
    return {**asdict(purchase), "plan": str(purchase.plan)} if purchase else None


def subscription_of(item: Item) -> Subscription:
    """The subscription of an item."""
    named = {each.name for each in fields(Subscription)}
    values: dict[str, Any] = {name: value for name, value in item.items() if name in named}
    next_plan = item.get("next_plan")
    values |= {
        "tenant": item["id"],
        "plan": Plan(item["plan"]),
        "bought": _purchase_of(item.get("bought")),
        "renewal": _purchase_of(item.get("renewal")),
        "next_plan": Plan(next_plan) if next_plan else None,
    }
    return Subscription(**values)


def _purchase_of(item: Mapping[str, Any] | None) -> PlanPurchase | None:
    return PlanPurchase(item["order_id"], Plan(item["plan"]), item["price"], item["credits"]) if item else None


def next_revision(subscription: Subscription, **changes: Any) -> Subscription:
    """The subscription after a change."""
    return replace(subscription, revision=subscription.revision + 1, **changes)
