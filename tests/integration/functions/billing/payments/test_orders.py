"""Orders: written before the gateway is asked, found again by the same request, and paid in one of their sessions."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import MINUTE, Micros, iso
from callmissed.errors import ApiError
from callmissed.platform.routes import Role
from callmissed.tenants.users import User, put_user
from functions.billing.payments.records import MAX_ATTEMPTS, CheckoutSession, OrderStatus
from functions.billing.payments.repository import Orders
from functions.billing.payments.schemas import OrderState
from functions.billing.payments.sweep import OrderSweep
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import SETTLED, SURPLUS, Purchases, new_order_id
from tests.support.faults import Crash, Fault, FaultyDynamoDB

FAILURES = [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.LOSE_ANSWER, Fault.DIE_IN_FLIGHT]


async def retry(purchases: Purchases, order_id: str) -> str:
    """The session of a retried order."""
    return (await purchases.payments.retry(purchases.tenant, order_id)).session.session_id


async def test_order_keeps_what_was_agreed(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await purchases.buy(500)

    stored = await purchases.find(order)
    assert stored == order
    assert (stored.amount, stored.whole_credits, stored.plan_to) == (44_900, 510, "topup_510")
    assert (stored.price_version, stored.tax_basis_points, stored.plan_from) == ("2026-06", 1_800, "pro")
    made = cashfree.order(order.order_id)
    assert (made.amount, made.session_id, made.reference) == (449, order.session.session_id, order.session.reference)
    assert made.customer["customer_phone"] == "9999999999"


@pytest.mark.parametrize("credits", [0, 9, 100_001])
async def test_count_out_of_range_is_refused(purchases: Purchases, credits: int) -> None:
    with pytest.raises(ApiError) as refused:
        await purchases.buy(credits)
    assert (refused.value.status, refused.value.param) == (400, "credits")


async def test_buyer_is_named_to_the_gateway(purchases: Purchases, cashfree: FakeCashfree) -> None:
    moment = iso(Micros(purchases.now))
    user = User(purchases.tenant, "usr_1", "ada@example.com", "Ada", Role.OWNER, moment, moment, confirmed=True)
    await purchases.database.transact([put_user(user)])
    purchases.payments._console_url = "https://console.example.com/"

    order = await purchases.buy()

    made = cashfree.order(order.order_id)
    assert (made.customer["customer_name"], made.customer["customer_email"]) == ("Ada", "ada@example.com")
    assert made.return_url == f"https://console.example.com/billing?order_id={order.order_id}"


@pytest.mark.parametrize("fault", ["down", "lost", "garbled", "wrong_amount"])
async def test_order_stays_when_the_gateway_fails(purchases: Purchases, cashfree: FakeCashfree, fault: str) -> None:
    order_id = new_order_id()
    cashfree.fault(fault, "/orders", times=2)
    with pytest.raises(ApiError) as failed:
        await purchases.buy(order_id=order_id)
    assert (failed.value.status, failed.value.code) == (502, "payment_gateway_error")
    cashfree.state.faults.clear()

    purchases.now += MINUTE
    session = await retry(purchases, order_id)

    assert session == cashfree.order(order_id).session_id
    assert set(cashfree.state.orders) >= {order_id}
    assert f"{order_id}_r2" not in cashfree.state.orders


@pytest.mark.parametrize("minutes", [1, 6, 13.99])
async def test_attempt_may_be_asked_for_again_as_long_as_it_is_young(
    purchases: Purchases, cashfree: FakeCashfree, minutes: float
) -> None:
    """The gateway wants more than a quarter of an hour until an order expires."""
    order_id = new_order_id()
    cashfree.fault("down", "/orders")
    with pytest.raises(ApiError):
        await purchases.buy(order_id=order_id)

    purchases.now += int(minutes * MINUTE)

    assert await retry(purchases, order_id) == cashfree.order(order_id).session_id
    assert f"{order_id}_r2" not in cashfree.state.orders


async def test_session_that_was_lost_and_is_old_is_not_given_out(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order_id = new_order_id()
    cashfree.fault("lost", "/orders")
    with pytest.raises(ApiError):
        await purchases.buy(order_id=order_id)

    purchases.now += 14 * MINUTE
    session = await retry(purchases, order_id)

    assert session == cashfree.order(f"{order_id}_r2").session_id != cashfree.order(order_id).session_id


async def test_repeated_request_finds_its_order(purchases: Purchases, cashfree: FakeCashfree) -> None:
    first = await purchases.buy(order_id="cm_00000000000000a1")
    again = await purchases.buy(500, order_id="cm_00000000000000a1")
    assert again == first
    await purchases.receive(*purchases.pay(first))
    purchases.now += 60 * MINUTE

    paid = await purchases.buy(order_id="cm_00000000000000a1")

    assert (paid.status, paid.session) == (OrderStatus.PAID, first.session)
    assert "cm_00000000000000a1_r2" not in cashfree.state.orders


async def test_session_is_given_out_while_it_is_young(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await purchases.buy()
    purchases.now += 14 * MINUTE - 1
    assert await retry(purchases, order.order_id) == order.session.session_id
    purchases.now += 1

    new = await retry(purchases, order.order_id)

    assert new == cashfree.order(f"{order.order_id}_r2").session_id != order.session.session_id
    purchases.now += 14 * MINUTE
    assert await retry(purchases, order.order_id) == cashfree.order(f"{order.order_id}_r3").session_id


async def test_concurrent_retries_open_one_session(purchases: Purchases, cashfree: FakeCashfree) -> None:
    order = await purchases.buy()
    purchases.now += 20 * MINUTE

    sessions = await asyncio.gather(*(retry(purchases, order.order_id) for _ in range(4)))

    assert set(sessions) == {cashfree.order(f"{order.order_id}_r2").session_id}
    assert f"{order.order_id}_r3" not in cashfree.state.orders


@pytest.mark.parametrize("by", ["callback", "verify", "sweep", "retry"])
async def test_payment_in_an_earlier_session_settles(purchases: Purchases, by: str) -> None:
    first = await purchases.buy()
    purchases.now += 15 * MINUTE
    second = await purchases.payments.retry(purchases.tenant, first.order_id)
    callbacks = purchases.pay(first)

    if by == "callback":
        assert await purchases.receive(*callbacks) == []
    elif by == "verify":
        await purchases.payments.verify(purchases.tenant, first.order_id)
    elif by == "sweep":
        assert (await purchases.sweep(5)).settled == 1
    else:
        purchases.now += 15 * MINUTE
        with pytest.raises(ApiError) as completed:
            await retry(purchases, first.order_id)
        assert (completed.value.status, completed.value.code) == (400, "order_completed")

    assert (await purchases.find(second)).status is OrderStatus.PAID
    assert await purchases.credits() == 100


async def test_payments_in_both_sessions_are_credited_once(purchases: Purchases) -> None:
    first = await purchases.buy()
    purchases.now += 15 * MINUTE
    second = await purchases.payments.retry(purchases.tenant, first.order_id)

    await purchases.receive(*purchases.pay(second))
    await purchases.receive(*purchases.pay(first))

    assert await purchases.states(first) == [SETTLED, SURPLUS]
    assert await purchases.credits() == 100


async def test_completed_order_is_not_retried(purchases: Purchases) -> None:
    order = await purchases.buy()
    await purchases.receive(*purchases.pay(order))
    with pytest.raises(ApiError) as completed:
        await retry(purchases, order.order_id)
    assert (completed.value.status, completed.value.code) == (400, "order_completed")


async def test_order_that_is_paid_while_it_is_retried(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    order = await purchases.buy()
    callbacks = purchases.pay(order)
    purchases.cashfree.fault("down", "/payments")
    purchases.now += 15 * MINUTE
    with pytest.raises(ApiError):
        await retry(purchases, order.order_id)
    purchases.cashfree.order(order.order_id).payments.clear()
    dynamodb.before("UpdateItem", lambda: purchases.receive(*callbacks))

    with pytest.raises(ApiError) as completed:
        await retry(purchases, order.order_id)

    assert completed.value.code == "order_completed"
    assert dynamodb.pending == 0


async def test_order_has_a_bounded_number_of_sessions(purchases: Purchases) -> None:
    order = await purchases.buy()
    old = replace(order.session, number=MAX_ATTEMPTS)
    await purchases.composition.orders.change_session(order, old, Micros(purchases.now))
    purchases.now += 15 * MINUTE
    with pytest.raises(ApiError) as expired:
        await retry(purchases, order.order_id)
    assert (expired.value.status, expired.value.code) == (400, "order_expired")


async def test_order_that_keeps_changing_is_unavailable(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    order = await purchases.buy()
    purchases.now += 15 * MINUTE
    plain = DynamoDB("us-east-1", dynamodb.endpoint, timeout_seconds=30.0)
    others = Orders(Database(plain, purchases.tables.stage))

    async def change() -> None:
        now = await others.get(purchases.tenant, order.order_id)
        session = CheckoutSession(now.session.number, Micros(now.session.created - 1))
        assert await others.change_session(now, session, Micros(purchases.now))

    dynamodb.before("UpdateItem", *[change] * 6)
    with pytest.raises(Unavailable):
        await retry(purchases, order.order_id)
    assert dynamodb.pending == 0
    await plain.close()


async def test_order_of_another_tenant_is_unknown(purchases: Purchases) -> None:
    order = await purchases.buy()
    for call in (purchases.payments.verify, purchases.payments.retry):
        for tenant, order_id in (("tnt_other", order.order_id), (purchases.tenant, "cm_0000000000000000")):
            with pytest.raises(ApiError) as unknown:
                await call(tenant, order_id)
            assert (unknown.value.status, unknown.value.code) == (404, "not_found")


async def test_without_an_account_nothing_is_written(purchases: Purchases) -> None:
    order = await purchases.buy()
    purchases.account = None
    with pytest.raises(ApiError) as unconfigured:
        _ = purchases.payments.environment
    assert (unconfigured.value.status, unconfigured.value.code) == (503, "payments_not_configured")
    with pytest.raises(ApiError):
        await purchases.payments.verify(purchases.tenant, order.order_id)
    assert (await purchases.sweep(5)).unanswered == 1


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("step", range(5))
async def test_death_at_any_step_of_an_order_leaves_one_that_is_completed(
    purchases: Purchases, dynamodb: FaultyDynamoDB, cashfree: FakeCashfree, fault: Fault, step: int
) -> None:
    order_id = new_order_id()
    await purchases.buy()
    dynamodb.faults.extend([*[None] * step, fault])
    with suppress(Crash, Unavailable):
        await purchases.buy(order_id=order_id)
    dynamodb.faults.clear()
    while dynamodb.late:
        await dynamodb.deliver_late(0)
    purchases.now += MINUTE

    order = await purchases.buy(order_id=order_id)

    assert order == await purchases.find(order)
    assert order.session.session_id == cashfree.order(order_id).session_id
    assert order.due
    assert await purchases.receive(*purchases.pay(order)) == []
    assert await purchases.credits() == 100


async def test_throttled_tables_delay_an_order(purchases: Purchases, dynamodb: FaultyDynamoDB) -> None:
    dynamodb.faults.extend([Fault.THROTTLE] * 50)
    with pytest.raises(Unavailable):
        await purchases.buy()
    dynamodb.forget()
    dynamodb.faults.extend([Fault.THROTTLE, None, Fault.CONFLICT, None, Fault.THROTTLE])
    assert (await purchases.buy()).session.session_id


async def test_sweep_settles_what_no_callback_reported(purchases: Purchases) -> None:
    paid, unpaid = await purchases.buy(), await purchases.buy()
    purchases.pay(paid)

    assert (await purchases.sweep(2)).seen == 0
    report = await purchases.sweep(2)

    assert (report.seen, report.settled, report.expired, report.unanswered) == (2, 1, 0, 0)
    assert (await purchases.sweep(1)).seen == 0
    assert (await purchases.find(unpaid)).status is OrderStatus.PENDING


async def test_unpaid_order_expires_is_followed_for_a_week_and_may_be_retried(purchases: Purchases) -> None:
    order = await purchases.buy()
    await purchases.sweep(29)
    assert (await purchases.find(order)).status is OrderStatus.PENDING
    assert (await purchases.sweep(10)).expired == 1
    assert OrderState.of(await purchases.find(order)).status == "expired"
    looks = [(await purchases.sweep(60)).seen for _ in range(8 * 24)]
    assert 10 < sum(looks) < 40
    assert (await purchases.find(order)).due == ""

    again = await purchases.payments.retry(purchases.tenant, order.order_id)
    purchases.pay(again)

    assert (await purchases.sweep(5)).settled == 1
    assert await purchases.credits() == 100


async def test_failed_order_is_pending_for_its_buyer(purchases: Purchases) -> None:
    order = await purchases.buy()
    await purchases.receive(*purchases.pay(order, "fail"))
    after = await purchases.payments.verify(purchases.tenant, order.order_id)
    assert (after.status, OrderState.of(after).status) == (OrderStatus.FAILED, "pending")
    assert await retry(purchases, order.order_id) == order.session.session_id


async def test_sweep_ends_in_time(purchases: Purchases) -> None:
    for _ in range(3):
        await purchases.buy()
    purchases.now += 5 * MINUTE
    started = purchases.now
    moments = iter(range(started, started + 10**9, 26_000_000))
    sweep = OrderSweep(purchases.composition.orders, purchases.payments, lambda: Micros(next(moments)))

    assert (await sweep.run(Micros(started))).seen == 1


async def test_sweep_passes_over_an_order_that_was_looked_at_meanwhile(
    purchases: Purchases, dynamodb: FaultyDynamoDB
) -> None:
    order = await purchases.buy()
    dynamodb.before("GetItem", lambda: purchases.composition.orders.look_again(order, None))

    assert (await purchases.sweep(5)).seen == 0
    assert dynamodb.pending == 0


async def test_history_shows_the_newest_first(purchases: Purchases) -> None:
    orders = []
    for _ in range(3):
        orders.append(await purchases.buy())
        purchases.now += MINUTE
    found = await purchases.payments.history(purchases.tenant, 2)
    assert [order.order_id for order in found] == [orders[2].order_id, orders[1].order_id]
    assert await purchases.payments.history("tnt_other", 2) == []
