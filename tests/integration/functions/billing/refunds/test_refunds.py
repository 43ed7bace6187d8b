"""Refunds: credits go back first, money once, and what fails is undone once."""

import asyncio
from contextlib import suppress

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.ledger.errors import HoldRefused
from callmissed.money import CREDIT
from functions.billing.payments.records import OrderStatus
from functions.billing.payments.refund_records import RefundState
from functions.billing.refunds.service import MAX_TRIES
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.logs import metrics_of

DAY = 24 * 60
FAILURES = [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.LOSE_ANSWER, Fault.DIE_IN_FLIGHT]


async def test_whole_order_goes_back_once(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await purchases.paid_order(500)

    refunds = [await purchases.refund(order) for _ in range(3)]

    assert [refund.state for refund in refunds] == [RefundState.SUCCEEDED] * 3
    assert (refunds[0].amount, refunds[0].credits, refunds[0].reason) == (44_900, 510 * CREDIT, "The buyer asked")
    assert await purchases.sums(order) == ("refunded", 44_900, 44_900, 510)
    assert (await purchases.credits(), purchases.paid_back(order)) == (0, 449.0)
    bought, returned = sorted(await purchases.entries(), key=lambda entry: str(entry.type))
    assert (returned.type, returned.debit, returned.credit) == ("refund", "tenant:available", "payments")
    assert returned.reference == bought.reference == order.order_id
    await purchases.check()


@pytest.mark.parametrize("parts", [[1, 9_899], [3_333, 3_333, 3_234], [50, 4_950, 4_900], [1, 1, 1, 9_897]])
async def test_parts_take_their_share_and_together_all(purchases: Purchases, parts: list[int]) -> None:
    order = await purchases.paid_order(100)
    taken = 0
    for number, part in enumerate(parts, 1):
        refund = await purchases.refund(order, part, f"part {number}")
        taken += refund.credits
        paid = sum(parts[:number])
        assert taken == 100 * CREDIT * paid // 9_900
        expected = OrderStatus.REFUNDED if paid == 9_900 else OrderStatus.PAID
        assert (await purchases.find(order)).status is expected

    assert await purchases.credits() == 0
    await purchases.check()


@pytest.mark.parametrize("amount", [0, -1, 9_901, 10**12])
async def test_more_than_paid_or_nothing_is_refused(purchases: Purchases, amount: int) -> None:
    order = await purchases.paid_order()
    with pytest.raises(ApiError) as refused:
        await purchases.refund(order, amount)
    assert (refused.value.status, refused.value.code) == (400, "refund_too_large")
    assert await purchases.refunds(order) == []


async def test_what_is_refunded_is_not_refunded_again(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    await purchases.refund(order, 5_000)
    with pytest.raises(ApiError, match=r"At most 49\.00"):
        await purchases.refund(order, 4_901, "two")
    with pytest.raises(ApiError) as refused:
        await purchases.refund(order, 4_900, "one")
    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert (await purchases.refund(order, None, "two")).amount == 4_900
    with pytest.raises(ApiError, match=r"At most 0\.00"):
        await purchases.refund(order, None, "three")


async def test_unpaid_and_unknown_orders_are_refused(purchases: Purchases) -> None:
    order = await purchases.buy()
    with pytest.raises(ApiError) as unpaid:
        await purchases.refund(order)
    assert (unpaid.value.status, unpaid.value.code) == (400, "order_not_paid")
    with pytest.raises(ApiError) as unknown:
        await purchases.composition.operator_refunds.refund("cm_0", "one", None, None)  # type: ignore[arg-type]
    assert unknown.value.status == 404
    purchases.account = None
    with pytest.raises(ApiError) as unconfigured:
        await purchases.refund(order)
    assert unconfigured.value.status == 503


async def test_concurrent_refunds_are_never_more_than_paid(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await purchases.paid_order()

    async def attempt(name: str) -> bool:
        for _ in range(10):
            with suppress(Unavailable):  # as a retry after the answer 503
                try:
                    await purchases.refund(order, 3_000, name)
                except ApiError as refused:
                    assert refused.code == "refund_too_large"
                    return False
                return True
        raise AssertionError("never answered")

    made = await asyncio.gather(*(attempt(f"refund {number % 5}") for number in range(8)))

    assert [refund.amount for refund in await purchases.refunds(order)] == [3_000] * 3
    assert made.count(True) >= 3
    assert await purchases.sums(order) == ("paid", 9_000, 9_000, 90.909090)
    assert purchases.paid_back(order) == 90.0
    await purchases.check()


async def test_spent_credits_become_a_debt_that_later_purchases_pay(purchases: Purchases) -> None:
    order = await purchases.paid_order()
    await purchases.spend(60)

    await purchases.refund(order)

    assert (await purchases.credits(), await purchases.debt()) == (0, 60)
    with pytest.raises(HoldRefused) as refused:
        await purchases.spend(0)
    assert (refused.value.status, refused.value.code) == (402, "insufficient_credits")
    assert len(await purchases.payments.history(purchases.tenant, 10)) == 1
    await purchases.paid_order()
    assert (await purchases.credits(), await purchases.debt()) == (40, 0)
    await purchases.spend(40)
    await purchases.check()


@pytest.mark.parametrize("status", ["PENDING", "ONHOLD"])
async def test_undecided_refund_is_followed_until_it_is_decided(
    purchases: Purchases, cashfree: FakeCashfree, status: str
) -> None:
    cashfree.state.refund_status = status
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    assert refund.state is RefundState.PENDING
    assert await purchases.sums(order) == ("paid", 9_900, 0, 100)
    assert (await purchases.sweep_refunds(4)).seen == 0
    assert (await purchases.sweep_refunds(2)).seen == 1
    assert (await purchases.sweep_refunds(1)).seen == 0

    cashfree.decide_refund(order.gateway_order, refund.refund_id, "SUCCESS")
    purchases.callbacks()
    report = await purchases.sweep_refunds(10)

    assert (report.seen, report.succeeded, report.failed, report.unanswered) == (1, 1, 0, 0)
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert (await purchases.sweep_refunds(DAY)).seen == 0
    assert (await purchases.refunds(order))[0].due == ""
    await purchases.check()


async def test_callback_decides_a_refund_at_once(purchases: Purchases, cashfree: FakeCashfree) -> None:
    cashfree.state.refund_status = "PENDING"
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    cashfree.decide_refund(order.gateway_order, refund.refund_id, "SUCCESS")
    (callback,) = purchases.callbacks()

    assert await purchases.receive(callback, callback) == []
    assert await purchases.receive(callback) == []

    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)


async def test_failed_refund_is_tried_again_under_a_new_id(purchases: Purchases, cashfree: FakeCashfree) -> None:
    cashfree.state.refund_status = "FAILED"
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    assert (refund.state, refund.attempt, refund.tries) == (RefundState.PENDING, 2, 1)
    late = purchases.callbacks()
    cashfree.state.refund_status = "SUCCESS"

    assert (await purchases.sweep_refunds(6)).succeeded == 1

    assert set(cashfree.order(order.gateway_order).refunds) == {refund.refund_id, f"{refund.refund_id}_r2"}
    assert await purchases.receive(*late, *purchases.callbacks()) == []  # the first attempt failed: known
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
    assert purchases.paid_back(order) == 99.0


@pytest.mark.parametrize("how", ["fails", "is refused"])
async def test_refund_that_keeps_failing_gives_the_credits_back_once_and_rings(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    order = await purchases.paid_order()
    await purchases.spend(30)
    if how == "fails":
        cashfree.state.refund_status = "FAILED"
    else:
        cashfree.order(order.gateway_order).payments.clear()
    refund = await purchases.refund(order)
    assert await purchases.debt() == 30
    for _ in range(MAX_TRIES + 2):
        await purchases.sweep_refunds(DAY)
        assert await purchases.receive(*purchases.callbacks()) == []

    (after,) = await purchases.refunds(order)
    assert (after.state, after.tries, after.turn, after.due) == (RefundState.FAILED, MAX_TRIES, 1, "")
    assert await purchases.sums(order) == ("paid", 0, 0, 0)
    assert (await purchases.credits(), await purchases.debt()) == (70, 0)
    assert sum(metrics_of(capsys.readouterr().out, "RefundFailed")) >= 1
    assert (await purchases.refund(order)).state is RefundState.FAILED
    kinds = sorted((str(entry.type), str(entry.debit)) for entry in await purchases.entries())
    assert [kind for kind in kinds if kind[0] == "refund"] == [("refund", "payments"), ("refund", "tenant:available")]
    await purchases.check()

    if how == "fails":
        cashfree.state.refund_status = "SUCCESS"
        assert (await purchases.refund(order, None, "again")).state is RefundState.SUCCEEDED
        assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)
        await purchases.check()
    assert refund.refund_id != "one"


async def test_reversed_refund_gives_the_credits_back_and_rings(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await purchases.paid_order()
    refund = await purchases.refund(order, 4_950)
    for status in ("PENDING", "FAILED", "FAILED"):
        cashfree.decide_refund(order.gateway_order, refund.refund_id, status)
        assert await purchases.receive(*purchases.callbacks()) == []

    assert await purchases.sums(order) == ("paid", 0, 0, 0)
    assert await purchases.credits() == 100
    assert metrics_of(capsys.readouterr().out, "RefundFailed") == [1]
    for status in ("PENDING", "SUCCESS"):  # and the bank pays after all
        cashfree.decide_refund(order.gateway_order, refund.refund_id, status)
        assert await purchases.receive(*purchases.callbacks()) == []
    assert await purchases.sums(order) == ("paid", 4_950, 4_950, 50)
    await purchases.check()


async def test_order_that_was_refunded_stays_so_when_its_refund_is_reversed(
    purchases: Purchases, cashfree: FakeCashfree
) -> None:
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    cashfree.decide_refund(order.gateway_order, refund.refund_id, "FAILED")
    await purchases.receive(*purchases.callbacks())

    assert await purchases.sums(order) == ("refunded", 0, 0, 0)
    assert await purchases.credits() == 100
    assert (await purchases.refund(order, None, "again")).state is RefundState.SUCCEEDED
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)


@pytest.mark.parametrize("fault", ["down", "lost", "garbled"])
async def test_gateway_without_an_answer_is_asked_again(
    purchases: Purchases, cashfree: FakeCashfree, fault: str
) -> None:
    order = await purchases.paid_order()
    cashfree.fault(fault, "/refunds", times=99)
    assert (await purchases.refund(order)).state is RefundState.PENDING
    report = await purchases.sweep_refunds(2)
    assert (report.seen, report.unanswered) == (1, 1)
    assert (await purchases.sweep_refunds(2)).seen == 0
    cashfree.state.faults.clear()

    assert (await purchases.sweep_refunds(10)).succeeded == 1
    assert purchases.paid_back(order) == 99.0


async def test_refund_of_another_amount_is_not_believed(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    cashfree.state.refund_status = "PENDING"
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    cashfree.order(order.gateway_order).refunds[refund.refund_id].amount = 5.0
    cashfree.decide_refund(order.gateway_order, refund.refund_id, "SUCCESS")

    assert len(await purchases.receive(*purchases.callbacks())) == 1
    assert (await purchases.sweep_refunds(10)).unanswered == 1
    assert metrics_of(capsys.readouterr().out, "RefundMismatch") == [1, 1]


async def test_refund_that_stays_undecided_rings(
    purchases: Purchases, cashfree: FakeCashfree, capsys: pytest.CaptureFixture[str]
) -> None:
    cashfree.state.refund_status = "PENDING"
    order = await purchases.paid_order()
    await purchases.refund(order)
    for _ in range(9):
        assert (await purchases.sweep_refunds(DAY)).seen == 1
    assert metrics_of(capsys.readouterr().out, "RefundFailed") == [1, 1]


async def test_sweep_passes_over_a_refund_that_was_decided_meanwhile(
    purchases: Purchases, cashfree: FakeCashfree, dynamodb: FaultyDynamoDB
) -> None:
    cashfree.state.refund_status = "PENDING"
    order = await purchases.paid_order()
    refund = await purchases.refund(order)
    cashfree.decide_refund(order.gateway_order, refund.refund_id, "SUCCESS")
    callbacks = purchases.callbacks()
    dynamodb.before("GetItem", lambda: purchases.receive(*callbacks))

    assert (await purchases.sweep_refunds(10)).seen == 0

    assert dynamodb.pending == 0
    assert await purchases.sums(order) == ("refunded", 9_900, 9_900, 100)


async def test_sweep_ends_in_time(purchases: Purchases, cashfree: FakeCashfree) -> None:
    cashfree.state.refund_status = "PENDING"
    for _ in range(3):
        await purchases.refund(await purchases.paid_order())
    sweep, reads = purchases.composition.refund_sweep, 0

    def clock() -> int:
        nonlocal reads
        reads += 1
        return purchases.now + reads * 20_000_000

    purchases.now += 6 * MINUTE
    sweep._clock = clock  # type: ignore[assignment]
    assert (await sweep.run(purchases.now)).seen == 1  # type: ignore[arg-type]
