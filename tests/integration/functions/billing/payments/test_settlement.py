"""Settlement: each order is credited once for ever, whatever comes, in any order, from whom, and how often."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE, Micros, iso
from callmissed.errors import ApiError
from functions.billing.payments.gateway import PaymentStatus
from functions.billing.payments.records import Order, OrderStatus
from functions.billing.payments.refund_records import RefundState
from tests.support.billing.deaths import FATES, lives
from tests.support.billing.purchases import FAILED, MISMATCH, SETTLED, SURPLUS, Purchases, paid
from tests.support.faults import Crash, Fault, FaultyDynamoDB
from tests.support.logs import metrics_of

DAY = 24 * 60 * MINUTE
FAILURES = [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.DIE_IN_FLIGHT]


async def check_credited_once(purchases: Purchases, order: Order, credits: float = 100) -> None:
    after = await purchases.find(order)
    assert after.status is OrderStatus.PAID
    assert after.paid
    assert after.due == iso(Micros(after.paid + DAY)), "it is looked at once more"
    assert await purchases.credits() == credits
    (entry,) = await purchases.entries()
    assert (entry.type, entry.debit, entry.reference) == ("purchase", "payments", order.order_id)
    (succeeded,) = await purchases.events("payment.succeeded")
    assert json.loads(succeeded["body"])["data"]["order_id"] == order.order_id
    await purchases.check()


async def test_payment_is_credited_with_entry_and_event(purchases: Purchases) -> None:
    order = await purchases.buy(500)
    (callback,) = purchases.pay(order)

    assert await purchases.receive(callback) == []

    await check_credited_once(purchases, order, 510)
    after = await purchases.find(order)
    assert (after.payment_method, after.paid) == ("upi", purchases.now)
    assert after.payment_id == callback["data"]["payment"]["cf_payment_id"]


async def test_doubled_callbacks_verify_and_sweep_credit_once(purchases: Purchases) -> None:
    order = await purchases.buy()
    callbacks = purchases.pay(order)

    for _ in range(2):
        assert await purchases.receive(*callbacks, *callbacks, *callbacks) == []
        await purchases.payments.verify(purchases.tenant, order.order_id)
        await purchases.sweep(5)

    await check_credited_once(purchases, order)


async def test_concurrent_callbacks_verify_and_sweep_credit_once(purchases: Purchases) -> None:
    order = await purchases.buy()
    callbacks = purchases.pay(order)
    verify = purchases.payments.verify
    purchases.now += 4 * MINUTE

    async def checked() -> None:
        assert (await verify(purchases.tenant, order.order_id)).status is OrderStatus.PAID

    await asyncio.gather(
        *(purchases.receive(*callbacks, *callbacks) for _ in range(3)),
        *(checked() for _ in range(3)),
        purchases.sweep(),
    )

    await check_credited_once(purchases, order)


@pytest.mark.parametrize("sequence", list(permutations(["failed", "paid", "paid again"])))
async def test_callbacks_in_any_order_end_in_the_same(purchases: Purchases, sequence: Sequence[str]) -> None:
    order = await purchases.buy()
    payments = {
        "failed": paid(order, "1", status=PaymentStatus.FAILED, reason="failed"),
        "paid": paid(order, "2"),
        "paid again": paid(order, "3"),
    }
    for name in sequence:
        await purchases.composition.settlement.apply(order, payments[name])

    await check_credited_once(purchases, order)
    assert await purchases.states(order) == sorted([FAILED, SETTLED, SURPLUS])
    failed_first = sequence[0] == "failed"
    assert len(await purchases.events("payment.failed")) == failed_first


async def test_callback_a_day_late_is_credited(purchases: Purchases) -> None:
    order = await purchases.buy()
    (callback,) = purchases.pay(order)
    purchases.cashfree.state.orders.clear()  # the sweeps learn nothing
    for _ in range(4):
        await purchases.sweep(6 * 60)
    assert (await purchases.find(order)).status is OrderStatus.EXPIRED

    assert await purchases.receive(callback) == []

    await check_credited_once(purchases, order)


async def test_success_after_a_failure_is_credited_and_nothing_late_undoes_it(purchases: Purchases) -> None:
    order = await purchases.buy()
    (failed,) = purchases.pay(order, "fail")
    (dropped,) = purchases.pay(order, "drop")
    await purchases.receive(failed)
    assert (await purchases.find(order)).status is OrderStatus.FAILED
    (callback,) = purchases.pay(order)

    assert await purchases.receive(callback) == []
    assert await purchases.receive(failed, dropped) == []

    await check_credited_once(purchases, order)
    assert len(await purchases.events("payment.failed")) == 1


async def test_the_same_payment_may_succeed_after_it_failed(purchases: Purchases) -> None:
    order = await purchases.buy()
    apply = purchases.composition.settlement.apply
    failed = paid(order, status=PaymentStatus.FAILED, reason="failed")

    for payment in (failed, failed, paid(order), failed):
        await apply(order, payment)

    await check_credited_once(purchases, order)
    assert await purchases.states(order) == [SETTLED]


async def test_pending_payment_changes_nothing(purchases: Purchases) -> None:
    order = await purchases.buy()
    pending = paid(order, status=PaymentStatus.PENDING)

    assert await purchases.composition.settlement.apply(order, pending) == order
    assert await purchases.items(order) == []


@pytest.mark.parametrize("change", [{"amount": 9_902}, {"amount": 9_898}, {"amount": 0}, {"currency": "USD"}])
async def test_other_amount_or_currency_grants_nothing_and_rings(
    purchases: Purchases, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    order = await purchases.buy()
    apply = purchases.composition.settlement.apply
    for _ in range(2):
        with pytest.raises(ApiError) as refused:
            await apply(order, paid(order, **change))
        assert (refused.value.status, refused.value.code) == (409, "amount_mismatch")

    assert metrics_of(capsys.readouterr().out, "PaymentMismatch") == [1]
    assert await purchases.states(order) == [MISMATCH]
    assert (await purchases.find(order)).status is OrderStatus.PENDING
    assert (await purchases.credits(), await purchases.entries(), await purchases.events()) == (0, [], [])


@pytest.mark.parametrize("difference", [-1, 0, 1])
async def test_a_paisa_is_no_difference(purchases: Purchases, difference: int) -> None:
    order = await purchases.buy()

    await purchases.composition.settlement.apply(order, paid(order, amount=order.amount + difference))

    await check_credited_once(purchases, order)


async def test_right_payment_is_credited_beside_a_wrong_one(purchases: Purchases) -> None:
    order = await purchases.buy()
    wrong, right = paid(order, "1", amount=1), paid(order, "2")

    after = await purchases.composition.settlement.apply_all(order, [wrong, right])

    assert after.status is OrderStatus.PAID
    await check_credited_once(purchases, order)
    assert await purchases.states(order) == [MISMATCH, SETTLED]


async def test_settled_payment_that_is_shown_with_another_amount_stays_settled(purchases: Purchases) -> None:
    order = await purchases.buy()
    await purchases.composition.settlement.apply(order, paid(order))

    after = await purchases.composition.settlement.apply(order, paid(order, amount=1))

    assert after.status is OrderStatus.PAID
    await check_credited_once(purchases, order)


async def test_wrong_payments_alone_are_refused_by_verify_and_passed_over_by_worker_and_sweep(
    purchases: Purchases,
) -> None:
    order = await purchases.buy()
    purchases.cashfree.order(order.gateway_order).amount = 1.0
    (callback,) = purchases.pay(order)

    assert await purchases.receive(callback) == []
    with pytest.raises(ApiError) as refused:
        await purchases.payments.verify(purchases.tenant, order.order_id)
    assert refused.value.status == 409
    assert (await purchases.sweep(5)).unanswered == 1
    assert await purchases.credits() == 0


async def test_conflicts_delay_a_settlement(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    order = await purchases.buy()
    dynamodb.faults.extend(
        [None, *[Fault.CONFLICT] * 4, None] * 6
    )  # a payment read, a transaction's tries, the order read

    with pytest.raises(Unavailable):
        await purchases.composition.settlement.apply(order, paid(order))

    dynamodb.forget()
    await purchases.composition.settlement.apply(order, paid(order))
    await check_credited_once(purchases, order)


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("step", range(5))
async def test_death_at_any_step_of_a_settlement_credits_once(
    purchases: Purchases, dynamodb: FaultyDynamoDB, fault: Fault, step: int
) -> None:
    order = await purchases.buy()
    callbacks = purchases.pay(order)
    await purchases.receive()
    dynamodb.faults.extend([*[None] * step, fault])
    with suppress(Crash, Unavailable):
        payment_id = callbacks[0]["data"]["payment"]["cf_payment_id"]
        await purchases.composition.settlement.apply(order, paid(order, payment_id))
    dynamodb.faults.clear()

    assert await purchases.receive(*callbacks) == []
    while dynamodb.late:
        await dynamodb.deliver_late(0)

    await check_credited_once(purchases, order)


@pytest.mark.parametrize("fate", FATES)
async def test_wrong_amount_rings_at_whatever_step_the_process_dies(
    purchases: Purchases, dynamodb: FaultyDynamoDB, capsys: pytest.CaptureFixture[str], fate: Fault
) -> None:
    for step in range(6):
        order = await purchases.buy()
        purchases.cashfree.order(order.gateway_order).amount = 1.0
        (callback,) = purchases.pay(order)
        record, worker = await purchases.record(callback), purchases.composition.worker
        await lives(dynamodb, step, fate, worker.failures([record]))

        assert await worker.failures([record]) == []

        assert sum(metrics_of(capsys.readouterr().out, "PaymentMismatch")) >= 1, step
        assert await purchases.states(order) == [MISMATCH]
    assert await purchases.credits() == 0


async def test_throttled_tables_delay_a_settlement(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    order = await purchases.buy()
    dynamodb.faults.extend([Fault.THROTTLE] * 40)
    with pytest.raises(Unavailable):
        await purchases.composition.settlement.apply(order, paid(order))
    dynamodb.forget()
    dynamodb.faults.extend([Fault.THROTTLE, None, Fault.THROTTLE, Fault.CONFLICT, None])

    await purchases.composition.settlement.apply(order, paid(order))

    await check_credited_once(purchases, order)


async def test_stale_orders_do_no_harm(purchases: Purchases) -> None:
    """The caller read the order before another one settled it."""
    order = await purchases.buy()
    apply = purchases.composition.settlement.apply
    await apply(order, paid(order, "1"))
    await apply(order, paid(order, "2", status=PaymentStatus.FAILED))
    await apply(replace(order, status=OrderStatus.EXPIRED), paid(order, "3"))

    await check_credited_once(purchases, order)
    assert await purchases.states(order) == sorted([SETTLED, FAILED, SURPLUS])


async def test_second_payment_whose_callback_never_comes_goes_back_a_day_later(purchases: Purchases) -> None:
    order = await purchases.buy()
    first, _lost = purchases.pay(order, "pay_twice")
    assert await purchases.receive(first) == []
    assert (await purchases.sweep(23 * 60)).seen == 0

    assert (await purchases.sweep(61)).seen == 1

    assert await purchases.states(order) == [SETTLED, SURPLUS]
    assert (await purchases.sweep_refunds(61)).seen == 1
    assert [refund.state for refund in await purchases.refunds(order)] == [RefundState.SUCCEEDED]
    assert (await purchases.sweep(7 * 24 * 60)).seen == 0
