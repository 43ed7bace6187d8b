"""Refunds of one order that meet: what the gateway or a bank pays back counts, whatever becomes of the others."""

import pytest

from callmissed.money import CREDIT
from functions.billing.payments.records import Order
from functions.billing.payments.refund_records import RefundOrigin, RefundState
from functions.billing.refunds.service import MAX_TRIES
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases

DAY = 24 * 60


async def states(purchases: Purchases, order: Order) -> dict[RefundOrigin, tuple[RefundState, int, float]]:
    """State, counted part and credits of the order's refunds, by their origin."""
    refunds = await purchases.refunds(order)
    return {refund.origin: (refund.state, refund.counted, refund.credits / CREDIT) for refund in refunds}


async def give_up(purchases: Purchases) -> None:
    """Let every try of a refund fail."""
    for _ in range(MAX_TRIES + 2):
        await purchases.sweep_refunds(DAY)


@pytest.mark.parametrize("before", [True, False], ids=["callback first", "failure first"])
async def test_refund_in_the_dashboard_keeps_the_credits_that_an_operators_one_took(
    purchases: Purchases, before: bool
) -> None:
    order = await purchases.paid_order(100)
    (callback,) = purchases.pay(order, "refund")
    await purchases.refund(order)  # the gateway refuses: nothing is left there

    if before:
        assert await purchases.receive(callback) == []
    await give_up(purchases)
    if not before:
        assert await purchases.receive(callback) == []

    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert await purchases.credits() == 0
    found = await states(purchases, order)
    assert found[RefundOrigin.GATEWAY] == (RefundState.SUCCEEDED, 9_900, 100)
    assert found[RefundOrigin.OPERATOR][0] is RefundState.FAILED
    await purchases.check()


async def test_lost_dispute_keeps_its_part_of_what_a_failed_refund_took(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    order = await purchases.paid_order(100)
    cashfree.fault("down", "/refunds", times=100)
    await purchases.refund(order)
    (lost,) = purchases.pay(order, "dispute_lost")
    lost["data"]["dispute"]["dispute_amount"] = 33.0
    assert await purchases.receive(lost) == []
    assert (await states(purchases, order))[RefundOrigin.DISPUTE] == (RefundState.SUCCEEDED, 0, 0)

    cashfree.state.faults.clear()
    cashfree.state.refund_status = "FAILED"
    await give_up(purchases)

    third = 100 * 3_300 / 9_900
    status, refunded, paid_back, returned = await purchases.sums(order)
    assert (status, refunded, paid_back, returned) == ("paid", 3_300, 3_300, pytest.approx(third))
    assert await purchases.credits() == pytest.approx(100 - third)
    await purchases.check()
