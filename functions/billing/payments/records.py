"""Purchase orders as the table `billing` stores them.

    <order id>   ORDER               the order; in the index `tenant` by its creation, in `due` while it is looked after
    <order id>   PAYMENT#<payment>   a payment of the order at the gateway, and what became of it
    <order id>   REFUND#<refund>     money that goes back (see refund_records.py)

A gateway knows an order under the id of its attempt: sessions expire, and a later one is a new order for the gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, Micros, iso
from callmissed.money import CREDIT, NOTHING, MicroCredits, Paise

ORDER = "ORDER"
PAYMENT = "PAYMENT#"
INR = "INR"
MAX_ATTEMPTS = 50
"""Sessions of one order: the gateway is asked about each of them, whenever the order is looked at."""

SESSION_LIFETIME = 14 * MINUTE
"""Age up to which a session is given out again: there is time left to pay, as the gateway closes it at half an hour."""

NO_MONEY = Paise(0)
_SHARDS = 4
_KEYS_OF_GATEWAY = UUID("7f1c9b62-3f5c-4a0e-9d37-8a6f0e2b51c4")
_SEPARATOR = "_r"


class OrderStatus(StrEnum):
    """State of an order. It only goes forward: PENDING, then FAILED or EXPIRED, then PAID, then REFUNDED."""

    PENDING = "pending"
    FAILED = "failed"
    EXPIRED = "expired"
    PAID = "paid"
    REFUNDED = "refunded"


UNPAID = (OrderStatus.PENDING, OrderStatus.FAILED, OrderStatus.EXPIRED)


class OrderKind(StrEnum):
    """What an order is for."""

    PLAN_UPGRADE = "plan_upgrade"
    CREDIT_TOPUP = "credit_topup"
    COUPON = "coupon"


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A payment session of attempt `number` at the gateway, which knows the order as `gateway_order`.

    `session_id` and `reference`, the gateway's own id, are empty until the gateway has answered.
    """

    number: int
    created: Micros
    session_id: str = ""
    reference: str = ""

    def is_live(self, now: Micros) -> bool:
        """Whether it may be given out."""
        return bool(self.session_id) and not self.is_old(now)

    def is_old(self, now: Micros) -> bool:
        """Whether the attempt is too old to be paid, also where the gateway's answer was lost."""
        return now - self.created >= SESSION_LIFETIME


@dataclass(frozen=True, slots=True)
class Order:
    """One purchase order, with everything that was agreed when it was made.

    `amount` includes the tax. `credits` are granted once it is paid, those of a plan with its period. `payment_id` is
    the gateway's id of the payment that settled it, and `paid_order` the attempt that was paid. A plan's order has the
    period's `full_price`, and in `unused_of` the start of the period whose unused share was taken off that. `refunded`
    is the part of the amount that goes back, `paid_back` the part that did, and `returned` are the credits that were
    taken for it; `refund_changes` counts the writes of these three.
    """

    order_id: str
    tenant: str
    user_id: str
    kind: OrderKind
    amount: Paise
    plan_from: str
    plan_to: str
    credits: MicroCredits
    price_version: str
    tax_basis_points: int
    created: Micros
    session: CheckoutSession
    status: OrderStatus = OrderStatus.PENDING
    currency: str = INR
    payment_id: str = ""
    payment_method: str = ""
    paid_order: str = ""
    paid: Micros | None = None
    refunded: Paise = NO_MONEY
    paid_back: Paise = NO_MONEY
    returned: MicroCredits = NOTHING
    refund_changes: int = 0
    due: str = ""
    full_price: Paise = NO_MONEY
    unused_of: Micros | None = None

    @property
    def gateway_order(self) -> str:
        """Id under which the gateway knows the order's latest attempt."""
        return gateway_order(self.order_id, self.session.number)

    @property
    def gateway_orders(self) -> list[str]:
        """Ids of all attempts, the latest first: a session that is given up may still be paid."""
        return [gateway_order(self.order_id, number) for number in range(self.session.number, 0, -1)]

    @property
    def whole_credits(self) -> int:
        """Whole credits of a top-up; 0 for other orders."""
        return self.credits // CREDIT if self.kind is OrderKind.CREDIT_TOPUP else 0

    @property
    def plan(self) -> str | None:
        """The plan that the order buys; None for other orders."""
        return self.plan_to if self.kind is OrderKind.PLAN_UPGRADE else None


class PaymentState(StrEnum):
    """What became of a payment: it settled the order, is to be given back, has a wrong amount, or failed."""

    SETTLED = "settled"
    SURPLUS = "surplus"
    MISMATCH = "mismatch"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A payment of an order at the gateway, as it was first seen at `seen`."""

    order_id: str
    payment_id: str
    state: PaymentState
    amount: Paise
    currency: str
    method: str
    seen: Micros
    gateway_order: str


def gateway_order(order_id: str, number: int) -> str:
    """Id of attempt `number` for the gateway."""
    return order_id if number == 1 else f"{order_id}{_SEPARATOR}{number}"


def order_of_gateway(gateway_order_id: str) -> str:
    """The order of an attempt's id."""
    return gateway_order_id.partition(_SEPARATOR)[0]


def gateway_key(name: str) -> str:
    """Idempotency key, for the gateway, of what has this name: the same in every run."""
    return str(uuid5(_KEYS_OF_GATEWAY, name))


def order_key(order_id: str) -> Item:
    """Key of an order."""
    return {"id": order_id, "item": ORDER}


def due_at(order_id: str, moment: Micros) -> Item:
    """Attributes that put the order into the index `due`."""
    return {"due": iso(moment), "shard": due_shard(order_id)}


def due_shard(order_id: str) -> str:
    """Partition of the index `due`."""
    return f"order#{int(order_id[-1], 16) % _SHARDS}"


DUE_SHARDS = tuple(f"order#{shard}" for shard in range(_SHARDS))


def to_order_record(order: Order) -> Item:
    """The item of an order."""
    names = (each.name for each in fields(Order) if each.name not in ("order_id", "session", "due"))
    values = {name: getattr(order, name) for name in names}
    return {
        **order_key(order.order_id),
        **values,
        **_texts(order),
        "created": f"{iso(order.created)}#{order.order_id}",
        "created_at": order.created,
        "session": session_record(order.session),
        **({"due": order.due, "shard": due_shard(order.order_id)} if order.due else {}),
    }


def _texts(order: Order) -> Mapping[str, str]:
    return {"kind": str(order.kind), "status": str(order.status)}


def session_record(session: CheckoutSession) -> Item:
    """The stored form of a session."""
    return {each.name: getattr(session, each.name) for each in fields(CheckoutSession)}


def order_of(item: Item) -> Order:
    """The order of an item."""
    named = {each.name for each in fields(Order)}
    values: dict[str, Any] = {name: value for name, value in item.items() if name in named}
    values |= {
        "order_id": item["id"],
        "kind": OrderKind(item["kind"]),
        "status": OrderStatus(item["status"]),
        "created": item["created_at"],
        "session": CheckoutSession(**item["session"]),
    }
    return Order(**values)


def payment_record(payment: StoredPayment) -> Item:
    """The item of a payment."""
    values = {each.name: getattr(payment, each.name) for each in fields(StoredPayment) if each.name != "order_id"}
    return {**payment_key(payment.order_id, payment.payment_id), **values, "state": str(payment.state)}


def payment_key(order_id: str, payment_id: str) -> Item:
    """Key of a payment."""
    return {"id": order_id, "item": PAYMENT + payment_id}
