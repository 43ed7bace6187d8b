"""Refunds and disputes that begin at the gateway: their credits are taken back once, in any order of callbacks."""

from typing import Any

import pytest

from callmissed.clock import MINUTE
from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from functions.billing.payments.records import Order, OrderStatus
from functions.billing.payments.refund_records import RefundOrigin, RefundState
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.logs import metrics_of


async def refunded(purchases: Purchases, order: Order) -> tuple[str, int, int]:
    after = await purchases.find(order)
    return str(after.status), after.refunded, after.paid_back


async def test_refund_in_the_dashboard_takes_the_credits_back_once(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    await purchases.spend(25)
    (callback,) = purchases.pay(order, "refund")

    for _ in range(2):
        assert await purchases.receive(callback, callback) == []

    (refund,) = await purchases.refunds(order)
    assert (refund.origin, refund.state, refund.due) == (RefundOrigin.GATEWAY, RefundState.SUCCEEDED, "")
    assert await refunded(purchases, order) == ("refunded", 9_900, 9_900)
    assert await purchases.debt() == 25
    await purchases.check()


async def test_refund_may_come_before_its_payment(purchases: Purchases) -> None:
    order = await purchases.buy()
    payment, refund = *purchases.pay(order), *purchases.pay(order, "refund")

    assert await purchases.receive(refund) == []
    assert await purchases.receive(payment) == []

    assert await refunded(purchases, order) == ("refunded", 9_900, 9_900)
    assert await purchases.credits() == 0
    await purchases.check()


@pytest.mark.parametrize("how", ["the gateway is down", "the payment is not shown", "the amount is wrong"])
async def test_refund_of_an_order_that_can_not_be_settled_comes_again(
    purchases: Purchases, cashfree: FakeCashfree, how: str
) -> None:
    order = await purchases.buy()
    if how == "the amount is wrong":
        cashfree.order(order.gateway_order).amount = 5.0
    purchases.pay(order)
    (callback,) = purchases.pay(order, "refund")
    payments = list(cashfree.order(order.gateway_order).payments)
    if how == "the gateway is down":
        cashfree.fault("down", "/payments")
    if how == "the payment is not shown":
        cashfree.order(order.gateway_order).payments.clear()

    assert len(await purchases.receive(callback)) == 1
    assert await purchases.credits() == 0

    if how != "the amount is wrong":
        cashfree.order(order.gateway_order).payments[:] = payments
        assert await purchases.receive(callback) == []
        assert await refunded(purchases, order) == ("refunded", 9_900, 9_900)


async def test_refund_after_another_counts_what_is_left(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    await purchases.refund(order, 5_000)
    (callback,) = [each for each in purchases.pay(order, "refund") if "dashboard" in str(each)]

    assert await purchases.receive(callback) == []

    assert [(each.amount, each.counted) for each in await purchases.refunds(order)] == [(9_900, 4_900), (5_000, 5_000)]
    assert await refunded(purchases, order) == ("refunded", 9_900, 9_900)
    assert (await purchases.credits(), await purchases.debt()) == (0, 0)
    await purchases.check()


async def test_refund_at_the_gateway_that_fails_gives_the_credits_back(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    order = await purchases.paid_order()
    (callback,) = purchases.pay(order, "refund")
    refund_id = callback["data"]["refund"]["refund_id"]
    cashfree.decide_refund(order.gateway_order, refund_id, "PENDING")
    purchases.callbacks()
    assert await purchases.receive(callback) == []
    assert await refunded(purchases, order) == ("paid", 9_900, 0)
    cashfree.decide_refund(order.gateway_order, refund_id, "FAILED")
    purchases.callbacks()

    assert (await purchases.sweep_refunds(10)).failed == 1

    assert await refunded(purchases, order) == ("paid", 0, 0)
    assert await purchases.credits() == 100
    assert set(cashfree.order(order.gateway_order).refunds) == {refund_id}
    await purchases.check()


async def test_refund_that_failed_before_it_was_known_is_passed_over(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    order = await purchases.paid_order()
    (callback,) = purchases.pay(order, "refund")
    cashfree.decide_refund(order.gateway_order, callback["data"]["refund"]["refund_id"], "FAILED")

    assert await purchases.receive(*purchases.callbacks()) == []
    assert await purchases.refunds(order) == []


def auto_refund(order: Order, **changes: Any) -> Any:
    """A callback as the documentation shows it: no id of ours, the gateway's number as one, the payment's as a text."""
    content = {
        "event": "AUTO-REFUND",
        "cf_refund_id": 1240055117,
        "cf_payment_id": order.payment_id,
        "bank_reference": "611209998888",
        "order_id": order.gateway_order,
        "refund_amount": 99,
        "refund_currency": "INR",
        "refund_type": "PAYMENT_AUTO_REFUND",
        "refund_arn": None,
        "refund_status": "SUCCESS",
        "status_description": "Auto-refund",
        "refund_reason": "The payment came too late.",
        "created_at": "2026-11-25T14:08:28+05:30",
        "processed_at": None,
        "refund_charge": 0,
        "refund_splits": None,
        "metadata": None,
    }
    data = {"auto_refund": content | changes}
    return {"type": "AUTO_REFUND_STATUS_WEBHOOK", "event_time": "2026-11-25T14:10:21+05:30", "data": data}


@pytest.mark.parametrize("status", ["SUCCESS", "PENDING", "ONHOLD", "PROCESSING"])
async def test_automatic_refund_is_known_by_the_gateways_number(
    purchases: Purchases, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    order = await purchases.paid_order()
    callback = auto_refund(order, refund_status=status)

    assert await purchases.receive(callback, callback) == []

    (stored,) = await purchases.refunds(order)
    assert (stored.refund_id, stored.origin) == ("1240055117", RefundOrigin.GATEWAY)
    assert stored.state is (RefundState.SUCCEEDED if status == "SUCCESS" else RefundState.PENDING)
    assert await purchases.credits() == 0
    assert (await purchases.sweep_refunds(30)).seen == (status != "SUCCESS")  # the gateway does not show it
    assert bool(metrics_of(capsys.readouterr().out, "RefundMismatch")) == (status == "PROCESSING")


@pytest.mark.parametrize(
    "changes", [{"order_id": None}, {"order_id": ""}, {"order_id": None, "refund_type": "UNRECONCILED_AUTO_REFUND"}]
)
async def test_automatic_refund_of_money_without_an_order_is_passed_over(
    purchases: Purchases, capsys: pytest.CaptureFixture[str], changes: Any
) -> None:
    order = await purchases.paid_order()

    assert await purchases.receive(auto_refund(order, cf_payment_id=None, **changes)) == []

    assert await purchases.refunds(order) == []
    assert metrics_of(capsys.readouterr().out, "PaymentOfUnknownOrder") == [1]


@pytest.mark.parametrize(
    "data",
    [
        {},
        None,
        {"refund": None},
        {"refund": {"order_id": "cm_1"}},
        {"refund": {"order_id": "cm_1", "refund_id": "r", "refund_amount": "5", "refund_status": "SUCCESS"}},
        {"refund": {"order_id": "cm_1", "refund_id": "r", "refund_amount": 5, "refund_status": "SUCCESS"}},
    ],
)
async def test_refund_that_can_not_be_read_becomes_a_dead_letter(purchases: Purchases, data: Any) -> None:
    assert len(await purchases.receive({"type": "REFUND_STATUS_WEBHOOK", "data": data})) == 1
    assert len(await purchases.receive({"type": "DISPUTE_CREATED", "data": data})) == 1


async def test_refunds_and_disputes_of_other_orders_are_passed_over(
    purchases: Purchases, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await purchases.paid_order()
    (refund,), (dispute,) = purchases.pay(order, "refund"), purchases.pay(order, "dispute_lost")
    refund["data"]["refund"]["order_id"] = dispute["data"]["order_details"]["order_id"] = "cm_ffffffffffffffff"

    assert await purchases.receive(refund, dispute) == []

    assert metrics_of(capsys.readouterr().out, "PaymentOfUnknownOrder") == [1, 1]
    assert await purchases.credits() == 100


async def test_plan_ends_before_the_money_goes_back(purchases: Purchases) -> None:
    await purchases.open(Plan.FREE)
    order = await purchases.paid_plan(Plan.STARTER)
    granted = await purchases.credits()
    assert granted == order.credits / CREDIT > 0
    await purchases.refund(order, order.amount // 2, "half")
    assert (await purchases.plan(), await purchases.credits()) == (Plan.STARTER, granted / 2)

    await purchases.refund(order, None, "the rest")

    assert (await purchases.plan(), await purchases.credits()) == (Plan.FREE, 0)
    assert (await purchases.find(order)).status is OrderStatus.REFUNDED
    await purchases.check()


async def test_renewal_that_has_not_begun_has_no_credits_to_return(purchases: Purchases) -> None:
    await purchases.open(Plan.FREE)
    await purchases.paid_plan(Plan.STARTER)
    purchases.now += 25 * 24 * 60 * MINUTE
    granted = await purchases.credits()
    renewal = await purchases.paid_plan(Plan.STARTER)
    assert await purchases.credits() == granted

    assert (await purchases.refund(renewal)).credits == 0

    assert (await purchases.plan(), await purchases.credits()) == (Plan.STARTER, granted)
    await purchases.check()
