"""Refunds under faults: deaths, lost answers, runs at once and throttled tables pay back once."""

import asyncio
from contextlib import suppress

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.platform.tables import BILLING
from functions.billing.payments.records import order_key
from functions.billing.payments.refund_records import RefundState
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.faults import Crash, Fault, FaultyDynamoDB

FAILURES = [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.LOSE_ANSWER, Fault.DIE_IN_FLIGHT]


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("step", range(0, 12, 2))
async def test_death_at_any_step_of_a_refund_pays_back_once(
    purchases: Purchases, dynamodb: FaultyDynamoDB, cashfree: FakeCashfree, fault: Fault, step: int
) -> None:
    order = await purchases.paid_order()
    dynamodb.faults.extend([*[None] * step, fault])
    with suppress(Crash, Unavailable):
        await purchases.refund(order, 4_950)
    dynamodb.faults.clear()
    while dynamodb.late:
        await dynamodb.deliver_late(0)

    with suppress(Unavailable):
        await purchases.refund(order, 4_950)
    await purchases.sweep_refunds(10)

    assert await purchases.sums(order) == ("paid", 4_950, 4_950, 50)
    assert purchases.paid_back(order) == 49.5
    assert await purchases.credits() == 50
    assert await purchases.receive(*purchases.callbacks()) == []
    assert await purchases.sums(order) == ("paid", 4_950, 4_950, 50)
    await purchases.check()


async def test_two_runs_that_follow_one_refund_change_it_once(
    purchases: Purchases, dynamodb: FaultyDynamoDB, cashfree: FakeCashfree
) -> None:
    cashfree.state.refund_status = "FAILED"
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    cashfree.state.refund_status = "SUCCESS"
    follow = purchases.composition.refunds.follow

    dynamodb.before("TransactWriteItems", lambda: follow(refund))
    found = [await follow(refund), *await asyncio.gather(follow(refund), follow(refund))]

    assert {each.state for each in found} == {RefundState.SUCCEEDED}
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert dynamodb.pending == 0


async def test_refund_of_an_order_that_keeps_changing_is_unavailable(
    purchases: Purchases, dynamodb: FaultyDynamoDB
) -> None:
    order = await purchases.paid_order()

    async def change() -> None:
        """What every refund of the order does."""
        await purchases.database.update(BILLING, order_key(order.order_id), add={"refund_changes": 1})

    dynamodb.before("TransactWriteItems", *[change] * 6)
    with pytest.raises(Unavailable, match="order kept changing"):
        await purchases.refund(order)
    assert dynamodb.pending == 0
    purchases.cashfree.fault("down", "/refunds", times=9)
    waiting = await purchases.refund(order)
    purchases.cashfree.state.faults.clear()
    dynamodb.before("TransactWriteItems", *[change] * 6)
    with pytest.raises(Unavailable, match="refund kept changing"):
        await purchases.composition.refunds.follow(waiting)
    assert dynamodb.pending == 0

    assert (await purchases.refund(order)).state is RefundState.SUCCEEDED
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert purchases.paid_back(order) == 99.0
    await purchases.check()


async def test_throttled_tables_delay_a_refund(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    order = await purchases.paid_order()
    dynamodb.faults.extend([None, *[Fault.CONFLICT] * 200])
    with pytest.raises(Unavailable):
        await purchases.refund(order)
    dynamodb.forget()
    refund = await purchases.refund(order, 5_000)
    dynamodb.faults.extend([*[None] * 2, *[Fault.CONFLICT] * 200])
    with pytest.raises(Unavailable):
        await purchases.composition.refunds._write(refund, refund)
    dynamodb.forget()
    assert await purchases.sums(order) == ("paid", 5_000, 5_000, 50.505050)
