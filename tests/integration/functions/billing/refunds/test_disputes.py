"""Disputes: what a bank decided last counts, in any order of callbacks, and each decision moves the credits once."""

import asyncio
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from callmissed.clock import Micros, micros_of
from callmissed.money import CREDIT, Paise
from callmissed.plans.plans import Plan
from functions.billing.payments.records import Order, OrderStatus
from functions.billing.payments.refund_records import RefundOrigin, RefundState
from functions.billing.refunds.disputes import Dispute, Disputes
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import MISMATCH, Purchases
from tests.support.logs import metrics_of

OPENED, LOST, WON, OVERTURNED = "dispute", "dispute_lost", "dispute_won", "arbitration_won"


async def hear(purchases: Purchases, order: Order, actions: Sequence[str], turns: Sequence[int]) -> None:
    """A bank acts in this order; the callbacks come in the other, each twice."""
    callbacks = [callback for action in actions for callback in purchases.pay(order, action)]
    for turn in turns:
        assert await purchases.receive(callbacks[turn], callbacks[turn]) == []


async def stored(purchases: Purchases, order: Order) -> tuple[str, str, int]:
    (dispute,) = await purchases.items(order, "DISPUTE#")
    return dispute["status"], dispute["outcome"], dispute["losses"]


@pytest.mark.parametrize("turns", [*permutations(range(2)), (1,), (0, 1, 0, 1)])
async def test_lost_dispute_takes_the_credits_back_once(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str], turns: Sequence[int]
) -> None:
    order = await purchases.paid_order()

    await hear(purchases, order, [OPENED, LOST], turns)

    (refund,) = await purchases.refunds(order)
    assert (refund.origin, refund.state, refund.counted) == (RefundOrigin.DISPUTE, RefundState.SUCCEEDED, 9_900)
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert await purchases.credits() == 0
    assert await stored(purchases, order) == ("CHARGEBACK_MERCHANT_LOST", "lost", 1)
    written = capsys.readouterr().out
    assert sum(metrics_of(written, "PaymentDisputed")) >= 1
    assert metrics_of(written, "RefundMismatch") == []
    assert cashfree.order(order.gateway_order).refunds == {}
    await purchases.check()


@pytest.mark.parametrize("turns", list(permutations(range(2))))
async def test_won_dispute_changes_nothing(purchases: Purchases, turns: Sequence[int]) -> None:
    order = await purchases.paid_order()

    await hear(purchases, order, [OPENED, WON], turns)

    assert await purchases.sums(order) == ("paid", 0, 0, 0)
    assert await purchases.credits() == 100
    assert await stored(purchases, order) == ("CHARGEBACK_MERCHANT_WON", "won", 0)


@pytest.mark.parametrize("turns", list(permutations(range(3))))
async def test_dispute_that_is_lost_after_it_was_won(purchases: Purchases, turns: Sequence[int]) -> None:
    order = await purchases.paid_order()

    await hear(purchases, order, [OPENED, WON, LOST], turns)

    assert await purchases.credits() == 0
    assert await stored(purchases, order) == ("CHARGEBACK_MERCHANT_LOST", "lost", 1)
    assert [refund.state for refund in await purchases.refunds(order)] == [RefundState.SUCCEEDED]


@pytest.mark.parametrize("turns", list(permutations(range(3))))
async def test_dispute_that_is_won_after_it_was_lost_gives_the_credits_back(
    purchases: Purchases, capsys: pytest.CaptureFixture[str], turns: Sequence[int]
) -> None:
    order = await purchases.paid_order()
    await purchases.spend(30)

    await hear(purchases, order, [OPENED, LOST, OVERTURNED], turns)

    assert (await purchases.credits(), await purchases.debt()) == (70, 0)
    assert await stored(purchases, order) == ("ARBITRATION_MERCHANT_WON", "won", int(turns.index(1) < turns.index(2)))
    was_taken = turns.index(1) < turns.index(2)
    assert await purchases.sums(order) == ("refunded" if was_taken else "paid", 0, 0, 0)
    assert [refund.state for refund in await purchases.refunds(order)] == [RefundState.FAILED] * was_taken
    assert bool(metrics_of(capsys.readouterr().out, "RefundFailed")) == was_taken
    assert (await purchases.refund(order)).credits == 100 * CREDIT, "the order may be refunded again"
    await purchases.check()


async def test_each_loss_takes_the_credits_anew(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    expected = {OPENED: 100, LOST: 0, OVERTURNED: 100, WON: 100}

    for action in (OPENED, LOST, OPENED, LOST, OVERTURNED, OPENED, LOST, WON, LOST):
        await hear(purchases, order, [action], [0])
        before = expected[OPENED]
        expected[OPENED] = expected[action]
        assert await purchases.credits() == (before if action == OPENED else expected[action]), action

    assert [refund.refund_id[-2:] for refund in await purchases.refunds(order)][1:] == ["_2", "_3"]
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    await purchases.check()


def read(callback: Any) -> Dispute:
    """The dispute of a callback."""
    content, details = callback["data"]["dispute"], callback["data"]["order_details"]
    return Dispute(
        order_id=details["order_id"],
        dispute_id=content["dispute_id"],
        payment_id=str(details["cf_payment_id"]),
        gateway_order=details["order_id"],
        amount=Paise(9_900),
        status=content["dispute_status"],
        updated=micros_of(content["updated_at"]),
    )


async def test_reversal_that_is_late_does_not_take_twice(purchases: Purchases) -> None:
    """The second loss is processed while the reversal of the first one still waits."""
    order = await purchases.paid_order()
    first, won, again, last = (
        callback for action in (LOST, OVERTURNED, LOST, OVERTURNED) for callback in purchases.pay(order, action)
    )
    assert await purchases.receive(first) == []
    await Disputes(purchases.database).record(read(won), Micros(purchases.now))

    for callback in (again, won):
        assert await purchases.receive(callback) == []
        assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert await purchases.receive(last) == []
    assert await purchases.sums(order) == ("refunded", 0, 0, 0)
    assert await purchases.credits() == 100
    await purchases.check()


async def test_win_that_is_heard_before_its_loss_was_processed(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    lost, won = (callback for action in (LOST, OVERTURNED) for callback in purchases.pay(order, action))
    await Disputes(purchases.database).record(read(lost), Micros(purchases.now))  # and the process dies

    assert await purchases.receive(won) == []
    assert await purchases.receive(lost) == []

    assert await purchases.refunds(order) == []
    assert await purchases.credits() == 100


@pytest.mark.parametrize("is_paid", [True, False])
async def test_payment_of_a_wrong_amount_is_disputed_and_refunded_without_an_effect(
    purchases: Purchases, cashfree: FakeCashfree, is_paid: bool
) -> None:
    """Nothing was granted for it: people return it, or the bank has done so."""
    order = await purchases.paid_order() if is_paid else await purchases.buy()
    cashfree.order(order.gateway_order).amount = 5.0
    assert await purchases.receive(*purchases.pay(order)) == []
    assert MISMATCH in await purchases.states(order)

    callbacks = [callback for action in (LOST, "refund", OVERTURNED) for callback in purchases.pay(order, action)]
    assert await purchases.receive(*callbacks) == []

    assert await purchases.refunds(order) == []
    assert await purchases.credits() == (100 if is_paid else 0)


async def test_win_does_not_give_a_plan_back(purchases: Purchases, capsys: pytest.CaptureFixture[str]) -> None:
    await purchases.open(Plan.FREE)
    order = await purchases.paid_plan(Plan.STARTER)
    granted = await purchases.credits()
    await hear(purchases, order, [LOST], [0])
    assert (await purchases.plan(), await purchases.credits()) == (Plan.FREE, 0)

    await hear(purchases, order, [OVERTURNED], [0])

    assert (await purchases.plan(), await purchases.credits()) == (Plan.FREE, granted)
    assert metrics_of(capsys.readouterr().out, "RefundFailed"), "an operator sets the plan"
    await purchases.check()


async def test_lost_dispute_may_come_before_the_payment(purchases: Purchases) -> None:
    order = await purchases.buy()
    payment, lost = *purchases.pay(order), *purchases.pay(order, LOST)
    assert await purchases.receive(lost) == []
    assert await purchases.receive(payment) == []
    assert (await purchases.find(order)).status is OrderStatus.REFUNDED
    assert await purchases.credits() == 0


async def test_loss_of_money_that_was_refunded_rings_and_takes_nothing_more(
    purchases: Purchases, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await purchases.paid_order()
    await purchases.refund(order)
    purchases.callbacks()

    await hear(purchases, order, [LOST], [0])

    (lost, _) = await purchases.refunds(order)
    assert (lost.counted, lost.credits) == (0, 0)
    assert (await purchases.credits(), await purchases.debt()) == (0, 0)
    assert set(metrics_of(capsys.readouterr().out, "RefundMismatch")) == {1}
    await purchases.check()


async def test_concurrent_callbacks_of_one_dispute_take_once(
    purchases: Purchases, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await purchases.paid_order()
    callbacks = [*purchases.pay(order, OPENED), *purchases.pay(order, LOST)]
    for _ in range(6):
        failed = await asyncio.gather(*(purchases.receive(callback) for callback in callbacks * 3))
        if not any(failed):
            break

    assert sum(metrics_of(capsys.readouterr().out, "PaymentDisputed")) >= 1
    assert await stored(purchases, order) == ("CHARGEBACK_MERCHANT_LOST", "lost", 1)
    assert await purchases.credits() == 0
    await purchases.check()


def dispute(order: Order, status: str, kind: str = "DISPUTE_UPDATED", **changes: Any) -> Any:
    """A callback as the documentation shows it: the dispute's id as a text, the payment's as a number."""
    content: dict[str, Any] = {
        "dispute_id": "433400258",
        "dispute_type": "CHARGEBACK",
        "reason_code": "1402",
        "reason_description": "Duplicate Processing",
        "dispute_amount": 99,
        "dispute_amount_currency": "INR",
        "created_at": "2026-11-25T21:49:48+05:30",
        "updated_at": "2026-11-25T21:49:48+05:30",
        "respond_by": "2026-11-28T23:59:59+05:30",
        "dispute_status": status,
        "cf_dispute_remarks": "Please take action",
        "dispute_action_on": "MERCHANT",
    }
    details = {
        "order_id": order.gateway_order,
        "order_amount": 99,
        "order_currency": "INR",
        "cf_payment_id": int(order.payment_id),
        "payment_amount": 99,
        "payment_currency": "INR",
    }
    people = {"customer_name": "Ada", "customer_phone": "8000000000", "customer_email": "ada@example.com"}
    data = {"dispute": content | changes, "order_details": details, "customer_details": people}
    return {"type": kind, "event_time": "2026-11-25T21:50:04+05:30", "data": data}


@pytest.mark.parametrize(
    ("kind", "status", "rings"),
    [
        ("DISPUTE_UPDATED", "CHARGEBACK_INSUFFICIENT_EVIDENCE", False),
        ("DISPUTE_UPDATED", "PRE_ARBITRATION_UNDER_REVIEW", False),
        ("DISPUTE_UPDATED", "COMPLIANCE_MERCHANT_LOST", True),
        ("DISPUTE_UPDATED", "CHARGEBACK_LOST", True),
        ("DISPUTE_UPDATED", "MERCHANT_LOST", True),
        ("DISPUTE_CLOSED", "CHARGEBACK_INSUFFICIENT_EVIDENCE", True),
        ("DISPUTE_CLOSED", "CHARGEBACK_WITHDRAWN", True),
    ],
)
async def test_status_that_decides_nothing_moves_nothing(
    purchases: Purchases, capsys: pytest.CaptureFixture[str], kind: str, status: str, rings: bool
) -> None:
    order = await purchases.paid_order()

    assert await purchases.receive(dispute(order, status, kind)) == []

    assert await purchases.credits() == 100
    assert await stored(purchases, order) == (status, "undecided", 0)
    assert bool(metrics_of(capsys.readouterr().out, "RefundMismatch")) == rings
    lost = dispute(order, "CHARGEBACK_MERCHANT_LOST", updated_at="2026-11-26T10:00:00+05:30")
    assert await purchases.receive(lost) == []
    assert await purchases.credits() == 0


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-11-25T10:00:00+05:30", "2026-11-25T04:30:01Z"),
        ("2026-11-25T10:00:00", "2026-11-25T04:30:01+00:00"),
        ("2026-11-25T10:00:00.5", "2026-11-25T10:00:01"),
        ("2026-11-25T10:00:00+05:30", None),
    ],
)
async def test_decision_of_the_later_time_counts(purchases: Purchases, earlier: str, later: str | None) -> None:
    order = await purchases.paid_order()
    callbacks = [
        dispute(order, "CHARGEBACK_MERCHANT_LOST", updated_at=later),
        dispute(order, "ARBITRATION_MERCHANT_WON", updated_at=earlier),
    ]

    assert await purchases.receive(callbacks[0]) == []
    assert await purchases.receive(callbacks[1]) == []

    assert await purchases.credits() == 0


@pytest.mark.parametrize("turns", list(permutations(range(3))))
async def test_of_decisions_at_one_time_that_of_the_later_stage_counts(
    purchases: Purchases, turns: Sequence[int]
) -> None:
    order = await purchases.paid_order()
    stages = ["CHARGEBACK_MERCHANT_LOST", "PRE_ARBITRATION_CREATED", "ARBITRATION_MERCHANT_WON"]

    for turn in turns:
        assert await purchases.receive(dispute(order, stages[turn])) == []

    assert await purchases.credits() == 100
    assert (await stored(purchases, order))[:2] == (stages[2], "won")


async def test_time_that_can_not_be_read_makes_a_dead_letter(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    assert len(await purchases.receive(dispute(order, "CHARGEBACK_MERCHANT_LOST", updated_at="yesterday"))) == 1
    assert await purchases.credits() == 100


async def test_partial_loss_and_its_reversal(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    lost = dispute(order, "CHARGEBACK_MERCHANT_LOST", dispute_amount=33)
    assert await purchases.receive(lost, lost) == []
    assert await purchases.credits() == pytest.approx(100 - 100 / 3)

    won = dispute(order, "ARBITRATION_MERCHANT_WON", dispute_amount=33, updated_at="2026-12-01T10:00:00+05:30")
    assert await purchases.receive(won, lost, won) == []

    assert await purchases.credits() == 100
    assert await purchases.sums(order) == ("paid", 0, 0, 0)
    await purchases.check()
