"""Death at every step of disputes, of refunds in the dashboard, and of the sweep over refunds: one outcome each.

A process dies at its request n, or loses the answer, for every n. The callback that comes again, or the next sweep,
ends what was begun: money and credits move once, the alarm has rung, and nothing drifts.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from functions.billing.payments.records import Order
from functions.billing.payments.refund_records import RefundState
from functions.billing.refunds.service import MAX_TRIES
from tests.support.billing.deaths import FATES, lives
from tests.support.billing.purchases import Purchases
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.logs import metrics_of
from tests.support.stride import some

Sums = tuple[str, int, int, float]
UNTOUCHED: Sums = ("paid", 0, 0, 0.0)
GONE: Sums = ("refunded", 9_900, 9_900, 100.0)
DAY = 24 * 60


@dataclass(frozen=True)
class Callback:
    """A callback after others: what it makes of its order, and the statuses of the order's disputes in the end."""

    action: str
    sums: Sums
    disputes: Sequence[str] = ()
    before: Sequence[str] = ("pay",)
    unseen: Sequence[str] = ()
    """What happened at the gateway without a callback that came."""

    at_gateway: float = 0.0
    alarms: int = 0


LOST, WON, OPEN = "CHARGEBACK_MERCHANT_LOST", "CHARGEBACK_MERCHANT_WON", "CHARGEBACK_CREATED"
CALLBACKS = {
    "opened": Callback("dispute", UNTOUCHED, [OPEN], alarms=1),
    "opened again": Callback("dispute", UNTOUCHED, [OPEN], before=["pay", "dispute"]),
    "won": Callback("dispute_won", UNTOUCHED, [WON], before=["pay", "dispute"]),
    "lost": Callback("dispute_lost", GONE, [LOST], alarms=1),
    "lost after it was opened": Callback("dispute_lost", GONE, [LOST], before=["pay", "dispute"]),
    "lost after it was won": Callback("dispute_lost", GONE, [LOST], before=["pay", "dispute_won"]),
    "lost before the payment was seen": Callback("dispute_lost", GONE, [LOST], [], ["pay"], alarms=1),
    "refunded": Callback("refund", GONE, at_gateway=99.0),
    "refunded before the payment was seen": Callback("refund", GONE, (), [], ["pay"], at_gateway=99.0),
}


async def begun(purchases: Purchases, callback: Callback) -> Order:
    order = await purchases.buy()
    for action in callback.before:
        assert await purchases.receive(*purchases.pay(order, action)) == []
    for action in callback.unseen:
        purchases.pay(order, action)
    return order


async def until_processed(purchases: Purchases, record: Mapping[str, Any]) -> None:
    """SQS sends the message again until it is processed, and once more."""
    worker = purchases.composition.worker
    for _ in range(4):
        if not await worker.failures([dict(record)]):
            break
    assert await worker.failures([dict(record)]) == []


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("name", CALLBACKS)
async def test_callback_at_whose_every_step_the_worker_dies_has_one_outcome(
    purchases: Purchases, dynamodb: FaultyDynamoDB, capsys: pytest.CaptureFixture[str], name: str, fate: Fault
) -> None:
    callback, worker, left = CALLBACKS[name], purchases.composition.worker, 0.0
    for step in some(range(60)):
        order = await begun(purchases, callback)
        (sent,) = purchases.pay(order, callback.action)
        record = await purchases.record(sent)
        capsys.readouterr()

        is_over = await lives(dynamodb, step, fate, worker.failures([record]))
        await until_processed(purchases, record)

        assert await purchases.sums(order) == callback.sums, step
        assert len(await purchases.refunds(order)) == (callback.sums is GONE), step
        assert [each["status"] for each in await purchases.items(order, "DISPUTE#")] == list(callback.disputes), step
        assert purchases.paid_back(order) == callback.at_gateway, step
        rung = sum(metrics_of(capsys.readouterr().out, "PaymentDisputed"))
        assert rung >= callback.alarms, f"no alarm for a death at {step}"
        left += 100 - callback.sums[3]
        if is_over:
            break
    else:
        raise AssertionError("the callback never came to its end")
    assert await purchases.credits() - await purchases.debt() == left
    await purchases.check()


@pytest.mark.parametrize("fate", FATES)
async def test_refund_of_a_plan_in_the_dashboard_ends_it_once(
    purchases: Purchases, dynamodb: FaultyDynamoDB, fate: Fault
) -> None:
    await purchases.open(Plan.FREE)
    for step in some(range(60)):
        order = await purchases.paid_plan(Plan.STARTER)
        (sent,) = purchases.pay(order, "refund")
        record = await purchases.record(sent)

        is_over = await lives(dynamodb, step, fate, purchases.composition.worker.failures([record]))
        await until_processed(purchases, record)

        assert await purchases.sums(order) == ("refunded", order.amount, order.amount, order.credits / CREDIT), step
        assert (await purchases.plan(), await purchases.credits(), await purchases.debt()) == (Plan.FREE, 0, 0), step
        if is_over:
            break
    else:
        raise AssertionError("the refund never came to its end")
    await purchases.check()


Prepare = Callable[[Purchases], Awaitable[Order]]


async def decided(purchases: Purchases, status: str, *, in_dashboard: bool = False) -> Order:
    """An order whose refund is pending here, and `status` at the gateway; the callback of that never comes."""
    order = await purchases.paid_order()
    purchases.cashfree.state.refund_status = "PENDING"
    if in_dashboard:
        (sent,) = purchases.pay(order, "refund")
        refund_id = sent["data"]["refund"]["refund_id"]
        purchases.cashfree.decide_refund(order.gateway_order, refund_id, "PENDING")
        assert await purchases.receive(sent) == []
    else:
        refund_id = (await purchases.refund(order)).refund_id
    purchases.cashfree.decide_refund(order.gateway_order, refund_id, status)
    purchases.cashfree.state.refund_status = "SUCCESS"
    purchases.callbacks()
    return order


async def unanswered(purchases: Purchases) -> Order:
    """An order whose refund was written, and the gateway did not hear of it."""
    order = await purchases.paid_order()
    purchases.cashfree.fault("down", "/refunds", times=99)
    assert (await purchases.refund(order)).state is RefundState.PENDING
    purchases.cashfree.state.faults.clear()
    return order


async def surplus(purchases: Purchases) -> Order:
    """An order that was paid twice."""
    order = await purchases.buy()
    assert await purchases.receive(*purchases.pay(order, "pay_twice")) == []
    return order


async def last_try(purchases: Purchases) -> Order:
    """An order whose refund fails for good at the next try, as the money went back in the dashboard meanwhile."""
    order = await purchases.paid_order()
    (sent,) = purchases.pay(order, "refund")
    await purchases.refund(order)
    assert await purchases.receive(sent) == []
    for _ in range(MAX_TRIES - 2):
        await purchases.sweep_refunds(DAY)
    return order


@dataclass(frozen=True)
class Swept:
    """A refund that the sweep follows, and how it ends."""

    prepare: Prepare
    sums: Sums
    at_gateway: float
    states: Sequence[str]
    alarms: int = 0


SWEPT = {
    "succeeded": Swept(lambda purchases: decided(purchases, "SUCCESS"), GONE, 99.0, ["succeeded"]),
    "not asked": Swept(unanswered, GONE, 99.0, ["succeeded"]),
    "tried again": Swept(lambda purchases: decided(purchases, "FAILED"), GONE, 99.0, ["succeeded"]),
    "failed in the dashboard": Swept(
        lambda purchases: decided(purchases, "FAILED", in_dashboard=True), UNTOUCHED, 0.0, ["failed"], alarms=1
    ),
    "surplus": Swept(surplus, UNTOUCHED, 99.0, ["succeeded"]),
    "handed over": Swept(last_try, GONE, 99.0, ["failed", "succeeded"], alarms=1),
}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("name", SWEPT)
async def test_sweep_that_dies_at_every_step_ends_each_refund_once(
    purchases: Purchases, dynamodb: FaultyDynamoDB, capsys: pytest.CaptureFixture[str], name: str, fate: Fault
) -> None:
    swept, left = SWEPT[name], 0.0
    for step in some(range(60)):
        order = await swept.prepare(purchases)
        capsys.readouterr()

        is_over = await lives(dynamodb, step, fate, purchases.sweep_refunds(DAY))
        for _ in range(3):
            await purchases.sweep_refunds(DAY)

        assert await purchases.sums(order) == swept.sums, step
        assert sorted(str(refund.state) for refund in await purchases.refunds(order)) == swept.states, step
        assert purchases.paid_back(order) == swept.at_gateway, step
        rung = sum(metrics_of(capsys.readouterr().out, "RefundFailed"))
        assert bool(rung) == bool(swept.alarms), f"no alarm for a death at {step}"
        assert (await purchases.sweep_refunds(DAY)).seen == 0
        left += 100 - swept.sums[3]
        if is_over:
            break
    else:
        raise AssertionError("the sweep never came to its end")
    assert await purchases.credits() - await purchases.debt() == left
    await purchases.check()
