"""Refunds as the table `billing` stores them.

    <order id>   REFUND#<refund>   money that goes back; in the index `due` while it is followed

A gateway never tries a failed refund again. So a further try is a new refund for the gateway, under the id of its
attempt.
"""

import hashlib
import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.operations import WriteOperation, put_new_operation
from callmissed.clock import MINUTE, Micros, iso
from callmissed.money import NOTHING, MicroCredits, Paise
from callmissed.platform.tables import BILLING
from functions.billing.payments.records import NO_MONEY, Order, StoredPayment

REFUND = "REFUND#"
_SEPARATOR = "_r"
_SHARDS = 4
_GATEWAYS_TURN = 60 * MINUTE
"""The gateway returns a second payment of one attempt by itself, mostly. We only ask where it has not."""

_OWN = re.compile(r"((?:surplus|operator)[0-9a-f]{20})(?:_r[0-9]{1,2})?")


class RefundOrigin(StrEnum):
    """Why money goes back: an order was paid twice, an operator said so, it was begun at the gateway, or a bank did."""

    SURPLUS = "surplus"
    OPERATOR = "operator"
    GATEWAY = "gateway"
    DISPUTE = "dispute"


class RefundState(StrEnum):
    """State of a refund. Its credits are returned while it is PENDING or SUCCEEDED, and given back if it has FAILED."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back to who paid `order_id`.

    `counted` is the part of `amount` that is one of the order's price: a surplus has none. `credits` are returned for
    it. `tries` are those that failed, and `turn` counts how often the credits were returned or given back. A surplus
    knows its `payment_id`, and the `dispute_id` through which a bank has returned it instead of us.
    """

    order_id: str
    refund_id: str
    tenant: str
    origin: RefundOrigin
    amount: Paise
    gateway_order: str
    created: Micros
    counted: Paise = NO_MONEY
    credits: MicroCredits = NOTHING
    reason: str = ""
    state: RefundState = RefundState.PENDING
    attempt: int = 1
    tries: int = 0
    turn: int = 0
    due: str = ""
    payment_id: str = ""
    dispute_id: str = ""

    @property
    def gateway_refund(self) -> str:
        """Id under which the gateway knows the latest attempt."""
        return self.refund_id if self.attempt == 1 else f"{self.refund_id}{_SEPARATOR}{self.attempt}"


def refund_key(order_id: str, refund_id: str) -> Item:
    """Key of a refund."""
    return {"id": order_id, "item": REFUND + refund_id}


def refund_shard(order_id: str) -> str:
    """Partition of the index `due`."""
    return f"refund#{int(order_id[-1], 16) % _SHARDS}"


REFUND_SHARDS = tuple(f"refund#{shard}" for shard in range(_SHARDS))


def own_refund_id(kind: str, *parts: str) -> str:
    """Id of a refund that we make: the same for the same parts, and one that gateways accept."""
    return f"{kind}{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:20]}"


def refund_of_gateway(gateway_refund: str) -> str:
    """The refund of an attempt's id, or of one that we did not choose."""
    own = _OWN.fullmatch(gateway_refund)
    return own[1] if own else gateway_refund


def is_own(gateway_refund: str) -> bool:
    """Whether we began a refund of this id."""
    return _OWN.fullmatch(gateway_refund) is not None


def refund_record(refund: Refund) -> Item:
    """The item of a refund."""
    values = {each.name: getattr(refund, each.name) for each in fields(Refund) if each.name != "due"}
    texts = {"origin": str(refund.origin), "state": str(refund.state)}
    due = {"due": refund.due, "shard": refund_shard(refund.order_id)} if refund.due else {}
    created = {"created_at": values.pop("created")}
    return {**refund_key(refund.order_id, refund.refund_id), **values, **texts, **created, **due}


def refund_of(item: Item) -> Refund:
    """The refund of an item."""
    named = {each.name for each in fields(Refund)}
    values: dict[str, Any] = {name: value for name, value in item.items() if name in named}
    values |= {
        "origin": RefundOrigin(item["origin"]),
        "state": RefundState(item["state"]),
        "created": item["created_at"],
    }
    return Refund(**values)


def new_refund_operation(refund: Refund) -> WriteOperation:
    """Write a refund that does not exist."""
    return put_new_operation(BILLING, refund_record(refund))


def surplus_id(order_id: str, payment_id: str) -> str:
    """Id of the refund of a payment that an order did not need."""
    return own_refund_id("surplus", order_id, payment_id)


def surplus_operation(order: Order, payment: StoredPayment, now: Micros) -> WriteOperation:
    """Give a payment back that an order did not need, once."""
    wait = _GATEWAYS_TURN if payment.gateway_order == order.paid_order else 0
    refund = Refund(
        order_id=order.order_id,
        refund_id=surplus_id(order.order_id, payment.payment_id),
        tenant=order.tenant,
        origin=RefundOrigin.SURPLUS,
        amount=payment.amount,
        gateway_order=payment.gateway_order,
        created=now,
        reason="The order was paid twice",
        due=iso(Micros(now + wait)),
        payment_id=payment.payment_id,
    )
    return new_refund_operation(refund)
