"""Payments that an order did not need go back once: by the gateway itself, by a bank, in the dashboard, or by us."""

from typing import Any

import pytest

from callmissed.clock import MINUTE
from callmissed.plans.plans import Plan
from functions.billing.payments.gateway import RefundStatus
from functions.billing.payments.records import Order
from functions.billing.payments.refund_records import Refund, RefundOrigin, RefundState
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import SETTLED, SURPLUS, Purchases
from tests.support.logs import metrics_of

GATEWAYS_TURN, DAY = 61, 24 * 60


async def paid_twice(purchases: Purchases) -> Order:
    """An order whose attempt was paid twice."""
    order = await purchases.buy()
    first, second = purchases.pay(order, "pay_twice")
    assert await purchases.receive(first) == []
    assert await purchases.receive(second, first, second) == []
    assert await purchases.states(order) == [SETTLED, SURPLUS]
    return await purchases.find(order)


async def paid_in_two_sessions(purchases: Purchases) -> tuple[Order, Order]:
    """An order as it was paid, and as it was in the session that was paid later: for the gateway it is another one."""
    first = await purchases.buy()
    purchases.now += 15 * MINUTE
    second = await purchases.payments.retry(purchases.tenant, first.order_id)
    assert await purchases.receive(*purchases.pay(second)) == []
    assert await purchases.receive(*purchases.pay(first)) == []
    return await purchases.find(first), first


async def surplus(purchases: Purchases, order: Order) -> Refund:
    (refund,) = [each for each in await purchases.refunds(order) if each.origin is RefundOrigin.SURPLUS]
    assert (refund.counted, refund.credits) == (0, 0)
    return refund


async def nothing_taken(purchases: Purchases, order: Order) -> None:
    """The order keeps its own payment and its credits, and no sweep does anything more."""
    before = purchases.paid_back(order)
    for _ in range(3):
        await purchases.sweep_refunds(3 * DAY)
    assert purchases.paid_back(order) == before
    assert await purchases.sums(order) == ("paid", 0, 0, 0)
    assert await purchases.credits() == 100
    await purchases.check()


async def test_surplus_is_given_back_without_credits(purchases: Purchases) -> None:
    order = await paid_twice(purchases)
    assert (await purchases.sweep_refunds()).seen == 0, "the gateway may do it by itself"

    assert (await purchases.sweep_refunds(GATEWAYS_TURN)).succeeded == 1

    assert (await surplus(purchases, order)).state is RefundState.SUCCEEDED
    assert purchases.paid_back(order) == 99.0
    assert await purchases.receive(*purchases.callbacks()) == []
    assert await purchases.sums(order) == ("paid", 0, 0, 0)
    assert await purchases.credits() == 100
    assert (await purchases.refund(order)).state is RefundState.SUCCEEDED
    assert purchases.paid_back(order) == 198.0


async def test_surplus_of_another_session_goes_back_there_at_once(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order, first = await paid_in_two_sessions(purchases)

    assert (await purchases.sweep_refunds()).succeeded == 1

    assert cashfree.order(first.gateway_order).refunded == 99.0
    assert cashfree.order(order.gateway_order).refunded == 0
    assert (await purchases.refund(order)).gateway_order == order.gateway_order


@pytest.mark.parametrize("action", ["auto_refund", "refund"])
@pytest.mark.parametrize("comes", [True, False], ids=["callback comes", "callback is lost"])
async def test_surplus_that_others_return_is_not_returned_again(
    purchases: Purchases, cashfree: FakeCashfree, action: str, comes: bool
) -> None:
    order = await paid_twice(purchases)
    callbacks = purchases.pay(order, action)

    if comes:
        assert await purchases.receive(*callbacks, *callbacks) == []
        assert (await surplus(purchases, order)).state is RefundState.SUCCEEDED
    else:
        assert (await purchases.sweep_refunds(GATEWAYS_TURN)).succeeded == 1

    assert (await surplus(purchases, order)).state is RefundState.SUCCEEDED
    assert len(cashfree.order(order.gateway_order).refunds) == 1
    assert purchases.paid_back(order) == 99.0
    await nothing_taken(purchases, order)


async def test_refund_may_be_the_first_to_name_a_second_payment(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await purchases.buy()
    callbacks = purchases.pay(order, "pay_twice")
    assert await purchases.receive(callbacks[0]) == []

    assert await purchases.receive(*purchases.pay(order, "auto_refund")) == []

    assert await purchases.states(order) == [SETTLED, SURPLUS]
    assert (await surplus(purchases, order)).state is RefundState.SUCCEEDED
    await nothing_taken(purchases, order)


async def test_refund_that_others_have_not_finished_is_waited_for(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await paid_twice(purchases)
    purchases.pay(order, "auto_refund")
    (theirs,) = cashfree.order(order.gateway_order).refunds.values()
    theirs.status = "ONHOLD"

    assert (await purchases.sweep_refunds(GATEWAYS_TURN)).seen == 1
    assert (await surplus(purchases, order)).state is RefundState.PENDING
    theirs.status = "CANCELLED"  # so it is ours to return

    assert (await purchases.sweep_refunds(DAY)).succeeded == 1
    assert len(cashfree.order(order.gateway_order).refunds) == 2
    assert purchases.paid_back(order) == 99.0


async def test_refund_by_others_of_a_part_needs_a_person(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await paid_twice(purchases)
    purchases.pay(order, "refund")
    (theirs,) = cashfree.order(order.gateway_order).refunds.values()
    theirs.amount = 40.0

    assert (await purchases.sweep_refunds(GATEWAYS_TURN)).unanswered == 1

    assert metrics_of(capsys.readouterr().out, "RefundMismatch") == [1]
    assert len(cashfree.order(order.gateway_order).refunds) == 1


async def test_operators_refund_is_not_taken_for_that_of_the_surplus(purchases: Purchases) -> None:
    order = await paid_twice(purchases)
    await purchases.refund(order)  # the stand-in takes it from the last payment, as a gateway may

    assert (await purchases.sweep_refunds(GATEWAYS_TURN)).succeeded == 1

    assert purchases.paid_back(order) == 198.0


async def test_refund_by_the_gateway_after_ours_rings(purchases: Purchases, capsys: pytest.CaptureFixture[str]) -> None:
    order = await paid_twice(purchases)
    await purchases.sweep_refunds(GATEWAYS_TURN)

    assert await purchases.receive(*purchases.pay(order, "auto_refund")) == []

    assert metrics_of(capsys.readouterr().out, "RefundMismatch") == [1]
    await nothing_taken(purchases, order)


async def test_lost_dispute_returns_a_surplus_instead_of_us(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await paid_twice(purchases)
    callbacks = purchases.pay(order, "dispute_lost")  # of the last payment

    assert await purchases.receive(*callbacks, *callbacks) == []

    refund = await surplus(purchases, order)
    assert (refund.state, refund.dispute_id, refund.due) == (RefundState.SUCCEEDED, f"9{refund.payment_id}", "")
    await nothing_taken(purchases, order)
    assert cashfree.order(order.gateway_order).refunds == {}
    assert metrics_of(capsys.readouterr().out, "RefundMismatch") == []


async def test_lost_dispute_may_be_the_first_to_name_a_second_payment(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    order = await purchases.buy()
    callbacks = purchases.pay(order, "pay_twice")
    assert await purchases.receive(callbacks[0]) == []

    assert await purchases.receive(*purchases.pay(order, "dispute_lost")) == []

    assert await purchases.receive(callbacks[1]) == []
    await nothing_taken(purchases, order)
    assert cashfree.order(order.gateway_order).refunds == {}


async def test_surplus_is_kept_while_a_bank_decides(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await paid_twice(purchases)
    assert await purchases.receive(*purchases.pay(order, "dispute")) == []
    for _ in range(3):
        assert (await purchases.sweep_refunds(DAY + 1)).seen == 1
    assert cashfree.order(order.gateway_order).refunds == {}

    assert await purchases.receive(*purchases.pay(order, "dispute_won")) == []

    assert (await purchases.sweep_refunds(DAY + 1)).succeeded == 1
    assert purchases.paid_back(order) == 99.0
    await nothing_taken(purchases, order)


async def test_lost_dispute_of_a_surplus_that_went_back_rings(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await paid_twice(purchases)
    await purchases.sweep_refunds(GATEWAYS_TURN)

    assert await purchases.receive(*purchases.pay(order, "dispute_lost")) == []

    assert metrics_of(capsys.readouterr().out, "RefundMismatch") == [1]
    await nothing_taken(purchases, order)
    assert len(cashfree.order(order.gateway_order).refunds) == 1


async def test_refund_of_ours_that_fails_after_a_bank_returned_the_surplus_is_not_tried_again(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    order = await paid_twice(purchases)
    cashfree.state.refund_status = "PENDING"
    await purchases.sweep_refunds(GATEWAYS_TURN)
    assert await purchases.receive(*purchases.pay(order, "dispute_lost")) == []
    (refund_id,) = cashfree.order(order.gateway_order).refunds

    cashfree.decide_refund(order.gateway_order, refund_id, "FAILED")

    assert await purchases.receive(*purchases.callbacks()) == []
    assert (await surplus(purchases, order)).state is RefundState.SUCCEEDED
    await nothing_taken(purchases, order)
    assert len(cashfree.order(order.gateway_order).refunds) == 1


async def test_surplus_that_a_bank_takes_back_is_ours_to_return(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await paid_twice(purchases)
    assert await purchases.receive(*purchases.pay(order, "dispute_lost")) == []
    callbacks = purchases.pay(order, "arbitration_won")

    assert await purchases.receive(*callbacks, *callbacks) == []

    assert (await purchases.sweep_refunds()).succeeded == 1
    assert purchases.paid_back(order) == 99.0
    assert await purchases.receive(*callbacks) == []
    await nothing_taken(purchases, order)


async def test_part_of_a_surplus_that_a_bank_returned_needs_a_person(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await paid_twice(purchases)
    (lost,) = purchases.pay(order, "dispute_lost")
    lost["data"]["dispute"]["dispute_amount"] = 40

    assert await purchases.receive(lost) == []

    assert metrics_of(capsys.readouterr().out, "RefundMismatch") == [1]
    await nothing_taken(purchases, order)
    assert cashfree.order(order.gateway_order).refunds == {}


async def test_dispute_of_a_payment_for_a_plan_that_could_not_be_bought(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    await purchases.open(Plan.FREE)
    lower = await purchases.payments.order_plan(purchases.buyer(), Plan.STARTER)
    await purchases.paid_plan(Plan.PRO)
    assert await purchases.receive(*purchases.pay(lower)) == []
    assert await purchases.states(lower) == [SURPLUS]

    assert await purchases.receive(*purchases.pay(lower, "dispute_lost")) == []

    assert (await surplus(purchases, lower)).state is RefundState.SUCCEEDED
    await purchases.sweep_refunds(DAY)
    assert cashfree.order(lower.gateway_order).refunds == {}


async def test_surplus_that_keeps_changing_is_unavailable(
    purchases: Purchases, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await paid_twice(purchases)
    refunds = purchases.composition.refunds

    async def changed(before: Refund, _: Refund) -> Refund:
        return before

    monkeypatch.setattr(refunds, "_write", changed)
    (lost,) = purchases.pay(order, "dispute_lost")
    assert len(await purchases.receive(lost)) == 1


async def test_listed_refunds_name_their_payments(purchases: Purchases) -> None:
    order = await paid_twice(purchases)
    purchases.pay(order, "auto_refund")
    gateway: Any = purchases.composition.gateway

    (found,) = await gateway.refunds(order.gateway_order)

    assert (found.payment_id, found.status, found.amount) == (
        (await surplus(purchases, order)).payment_id,
        RefundStatus.SUCCEEDED,
        9_900,
    )
    assert await gateway.refunds("cm_ffffffffffffffff") == []
