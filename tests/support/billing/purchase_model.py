"""Expected state of purchase orders: whatever is written, each order is one legal step from the one before.

The model is shown an order's items, and the tenant's ledger entries, after every write that reached DynamoDB.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from callmissed.ledger.entries import Account, EntryType
from functions.billing.payments.records import ORDER, PAYMENT, OrderKind, OrderStatus, PaymentState
from functions.billing.payments.refund_records import REFUND, RefundOrigin, RefundState, own_refund_id

Item = dict[str, Any]
DONE = (OrderStatus.PAID, OrderStatus.REFUNDED)
_RANKS = {
    OrderStatus.PENDING: 0,
    OrderStatus.FAILED: 1,
    OrderStatus.EXPIRED: 1,
    OrderStatus.PAID: 2,
    OrderStatus.REFUNDED: 3,
}
_AGREED = ("tenant", "kind", "amount", "currency", "credits", "price_version", "tax_basis_points", "created")
_OF_PAYMENT = ("payment_id", "paid_order", "paid", "payment_method")
_GRANTS = (EntryType.PURCHASE, EntryType.COUPON, EntryType.PLAN_GRANT)


class PurchaseModel:
    """The orders of one tenant as they were last seen: by id, the items by name."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Item]] = {}

    def see(self, order_id: str, items: Iterable[Item]) -> None:
        """The order's items are a legal step from those before."""
        before, after = self.orders.get(order_id, {}), {item["item"]: item for item in items}
        assert before.keys() <= after.keys(), "nothing is removed"
        for name, item in before.items():
            _check_step(name, item, after[name])
        self.orders[order_id] = after

    def check(self, entries: Iterable[Item]) -> None:
        """Each order agrees with its payments, its refunds, and the tenant's ledger entries."""
        entries = list(entries)
        for order_id, items in self.orders.items():
            if ORDER in items:
                _check_payments(items)
                _check_refunds(items)
                _check_credits(items[ORDER], [entry for entry in entries if entry.get("reference") == order_id])

    def is_done(self, order_id: str) -> bool:
        """Whether the order was paid."""
        return ORDER in self.orders[order_id] and self.orders[order_id][ORDER]["status"] in DONE

    def payments(self, order_id: str) -> Mapping[str, Item]:
        """The order's payments by the gateway's id."""
        return {item["payment_id"]: item for item in some(self.orders[order_id], PAYMENT)}


def some(items: Mapping[str, Item], prefix: str) -> list[Item]:
    """The items whose name begins with the prefix."""
    return [item for name, item in items.items() if name.startswith(prefix)]


def _check_step(name: str, before: Item, after: Item) -> None:
    if name == ORDER:
        _check_order_step(before, after)
    elif name.startswith(PAYMENT):
        assert before == after or before["state"] == PaymentState.FAILED, "a payment's end is final"
    elif name.startswith(REFUND):
        fixed = ("amount", "origin", "gateway_order", "tenant")
        assert [before[key] for key in fixed] == [after[key] for key in fixed]
        assert all(before[key] <= after[key] for key in ("attempt", "tries", "turn"))
        is_again = (before["state"], after["state"]) == (RefundState.SUCCEEDED, RefundState.PENDING)
        assert not is_again or before["dispute_id"], "only a surplus that a bank had returned is returned again"


def _check_order_step(before: Item, after: Item) -> None:
    assert [before[key] for key in _AGREED] == [after[key] for key in _AGREED], "what was agreed stays"
    assert _RANKS[before["status"]] <= _RANKS[after["status"]], f"{before['status']} became {after['status']}"
    assert before["session"]["number"] <= after["session"]["number"]
    if before["status"] in DONE:
        assert [before[key] for key in _OF_PAYMENT] == [after[key] for key in _OF_PAYMENT], "it is paid once"


def _check_payments(items: Mapping[str, Item]) -> None:
    order, payments = items[ORDER], some(items, PAYMENT)
    settled = [payment["payment_id"] for payment in payments if payment["state"] == PaymentState.SETTLED]
    is_paid = order["status"] in DONE and order["kind"] != OrderKind.COUPON
    assert settled == ([order["payment_id"]] if is_paid else []), "one payment settles an order, for ever"
    for payment in payments:
        refund = items.get(REFUND + own_refund_id("surplus", order["id"], payment["payment_id"]))
        assert (refund is not None) == (payment["state"] == PaymentState.SURPLUS), "what is surplus goes back"
        assert refund is None or (refund["amount"], refund["counted"]) == (payment["amount"], 0)


def _check_refunds(items: Mapping[str, Item]) -> None:
    order, refunds = items[ORDER], some(items, REFUND)
    taken = [refund for refund in refunds if refund["state"] != RefundState.FAILED]
    paid_back = sum(refund["counted"] for refund in taken if refund["state"] == RefundState.SUCCEEDED)
    assert order["paid_back"] == paid_back
    assert order["refunded"] == sum(refund["counted"] for refund in taken)
    assert order["returned"] == sum(refund["credits"] for refund in taken)
    assert order["refunded"] <= order["amount"], "refunds are at most what was paid"
    assert 0 <= order["returned"] <= order["credits"], "no more credits are taken than came"
    assert not paid_back or paid_back < order["amount"] or order["status"] == OrderStatus.REFUNDED
    assert all(refund["counted"] == 0 for refund in refunds if refund["origin"] == RefundOrigin.SURPLUS)


def _check_credits(order: Item, entries: Iterable[Item]) -> None:
    grants = [entry["amount"] for entry in entries if entry["type"] in _GRANTS]
    if order["kind"] == OrderKind.PLAN_UPGRADE:  # a renewal's credits come with its period
        assert grants == [] or (grants == [order["credits"]] and order["status"] in DONE)
    else:
        assert grants == ([order["credits"]] if order["status"] in DONE else []), "an order is credited once for ever"
    back = [entry for entry in entries if entry["type"] == EntryType.REFUND]
    returned = sum(entry["amount"] if entry["debit"] == Account.AVAILABLE else -entry["amount"] for entry in back)
    assert order["returned"] == returned, "the ledger has what the refunds say"
