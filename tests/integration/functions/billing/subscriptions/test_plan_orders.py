"""Plans by order: what an order costs, what its payment brings, and what follows at the end."""

import asyncio

import pytest

from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.ledger.entries import EntryType
from callmissed.money import CREDIT
from callmissed.plans.plans import Plan, limits
from functions.billing.payments.records import Order, OrderStatus, PaymentState
from functions.billing.subscriptions.periods import period_start
from functions.billing.subscriptions.records import DAY, GRACE, PlanPurchase
from tests.support.faults import Crash, Fault
from tests.support.stride import some
from tests.support.subscribers import BUYER, NewSubscriber, Subscriber


async def refused(subscriber: Subscriber, plan: Plan) -> str:
    with pytest.raises(ApiError) as error:
        await subscriber.order(plan)
    assert error.value.status == 400
    return error.value.message


async def grants(subscriber: Subscriber) -> list[int]:
    return [entry.amount // CREDIT for entry in await subscriber.entries(EntryType.PLAN_GRANT)]


async def end(subscriber: Subscriber) -> Micros:
    return (await subscriber.subscriptions.records.get(subscriber.tenant)).end


async def test_a_paid_order_brings_the_plan_and_its_first_credits(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    key = await subscriber.key_store.key(subscriber.tenant)

    order = await subscriber.order(Plan.STARTER)
    paid = await subscriber.pay(order)

    assert (order.amount, order.full_price, order.price_version, order.tax_basis_points) == (
        99_900,
        99_900,
        "2026-06",
        1_800,
    )
    assert (order.plan_from, order.plan_to, order.credits) == ("free", "starter", 550 * CREDIT)
    assert paid.status is OrderStatus.PAID
    await subscriber.assert_on(Plan.STARTER)
    assert (await subscriber.key_store.call(key.secret)).key.rpm == limits(Plan.STARTER).default_rpm
    (entry,) = await subscriber.entries(EntryType.PLAN_GRANT)
    assert (entry.amount, entry.reference) == (550 * CREDIT, order.order_id)
    assert (await subscriber.money()).available == 550 * CREDIT


@pytest.mark.parametrize(
    ("current", "asked", "message"),
    [
        (Plan.PRO, Plan.STARTER, "cannot upgrade pro→starter"),
        (Plan.PRO, Plan.PRO, "cannot upgrade pro→pro"),
        (Plan.ENTERPRISE, Plan.PRO, "cannot upgrade enterprise→pro"),
    ],
)
async def test_orders_go_upwards_only(new_subscriber: NewSubscriber, current: Plan, asked: Plan, message: str) -> None:
    subscriber = await new_subscriber(current)

    assert message in await refused(subscriber, asked)


async def test_the_unused_share_of_the_full_price_is_taken_off(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.STARTER)
    start, last = subscriber.clock.now, await end(subscriber)
    subscriber.clock.now = Micros(start + (last - start) // 2)

    pro = await subscriber.order(Plan.PRO)
    await subscriber.pay(pro)

    assert abs(pro.amount - (499_900 - 49_950)) <= 1
    assert pro.full_price == 499_900
    third = Micros(subscriber.clock.now + (await end(subscriber) - subscriber.clock.now) // 2)
    subscriber.clock.now = third
    assert abs((await subscriber.order(Plan.ENTERPRISE)).amount - (2_000_000 - 249_950)) <= 1  # of the full price
    assert await grants(subscriber) == [550, 6_000]
    await subscriber.assert_on(Plan.PRO)


async def test_of_two_upgrades_at_once_the_higher_one_stays_and_a_late_lower_one_is_surplus(
    new_subscriber: NewSubscriber,
) -> None:
    for _ in range(3):
        subscriber = await new_subscriber(Plan.FREE)
        starter, pro = await subscriber.order(Plan.STARTER), await subscriber.order(Plan.PRO)

        after = await asyncio.gather(subscriber.pay(starter), subscriber.pay(pro))

        await subscriber.subscriptions.advance(subscriber.tenant)
        await subscriber.assert_on(Plan.PRO)
        assert after[1].status is OrderStatus.PAID
        first_won = (await subscriber.orders.get(subscriber.tenant, starter.order_id)).status is OrderStatus.PAID
        state = await subscriber.orders.payment(starter.order_id, f"pay_{starter.order_id}")
        assert state is (PaymentState.SETTLED if first_won else PaymentState.SURPLUS)
        assert sorted(await grants(subscriber)) == ([550, 6_000] if first_won else [6_000])


async def test_a_payment_for_a_plan_that_is_not_above_any_more_is_surplus(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    starter = await subscriber.order(Plan.STARTER)
    await subscriber.buy(Plan.PRO)

    late = await subscriber.pay(starter)
    again = await subscriber.pay(starter)

    assert (late.status, again.status) == (OrderStatus.EXPIRED, OrderStatus.EXPIRED)
    assert await subscriber.orders.payment(starter.order_id, f"pay_{starter.order_id}") is PaymentState.SURPLUS
    await subscriber.assert_on(Plan.PRO)
    assert await grants(subscriber) == [6_000]


async def test_one_share_is_taken_off_one_order_only(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.STARTER)
    pro, enterprise = await subscriber.order(Plan.PRO), await subscriber.order(Plan.ENTERPRISE)
    await subscriber.pay(pro)

    late = await subscriber.pay(enterprise)

    assert late.status is OrderStatus.EXPIRED
    await subscriber.assert_on(Plan.PRO)


async def _settled(subscriber: Subscriber, order: Order, step: int, death: Fault) -> bool:
    """Settle the order in a process that dies at its request `step`; whether it lived on."""
    process = subscriber.faulty()
    process.faults.extend([None] * step + [death])
    try:
        await subscriber.pay(order, dynamodb=process)
    except Crash:
        return False
    return True


@pytest.mark.parametrize("death", [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.DIE_IN_FLIGHT])
async def test_a_settlement_survives_death_at_every_step(new_subscriber: NewSubscriber, death: Fault) -> None:
    for step in some(range(40)):
        subscriber = await new_subscriber(Plan.FREE)
        await subscriber.key_store.key(subscriber.tenant)
        order = await subscriber.order(Plan.PRO)

        lived = await _settled(subscriber, order, step, death)
        await subscriber.wait(Micros(subscriber.clock.now + MINUTE))  # the sweep over subscriptions
        await subscriber.pay(order)  # the sweep over orders, or the callback again

        await subscriber.assert_on(Plan.PRO)
        assert await grants(subscriber) == [6_000], step
        assert (await subscriber.orders.get(subscriber.tenant, order.order_id)).status is OrderStatus.PAID
        if lived:
            return
    raise AssertionError("the settlement never came to its end")


async def test_a_renewal_begins_at_the_end_with_the_credits_of_later_periods(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.STARTER)
    first = await subscriber.subscriptions.records.get(subscriber.tenant)
    subscriber.clock.now = Micros(first.end - 8 * DAY)
    assert "cannot upgrade" in await refused(subscriber, Plan.STARTER)
    subscriber.clock.now = Micros(first.end - 7 * DAY)

    renewal = await subscriber.buy(Plan.STARTER)

    assert (renewal.amount, renewal.credits) == (99_900, 500 * CREDIT)
    assert "cannot upgrade" in await refused(subscriber, Plan.STARTER)
    assert await grants(subscriber) == [550]
    await subscriber.wait(Micros(first.end))
    second = await subscriber.subscriptions.records.get(subscriber.tenant)
    assert (second.start, second.end) == (first.end, period_start(first.anchor, 2))
    assert await grants(subscriber) == [550, 500]
    await subscriber.assert_on(Plan.STARTER)


async def test_an_unpaid_plan_ends_after_three_days_and_a_renewal_in_them_saves_it(
    new_subscriber: NewSubscriber,
) -> None:
    saved, lapsed = await new_subscriber(Plan.FREE), await new_subscriber(Plan.FREE)
    for subscriber in (saved, lapsed):
        await subscriber.buy(Plan.STARTER)
        await subscriber.wait(Micros(await end(subscriber) + 2 * DAY))
        await subscriber.assert_on(Plan.STARTER)
    before = await saved.subscriptions.records.get(saved.tenant)

    await saved.buy(Plan.STARTER)
    for subscriber in (saved, lapsed):
        await subscriber.wait(Micros(before.end + GRACE))

    after = await saved.subscriptions.records.get(saved.tenant)
    assert (after.start, after.paid_until) == (before.end, period_start(before.anchor, 2))
    assert await grants(saved) == [550, 500]
    await saved.assert_on(Plan.STARTER)
    await lapsed.assert_on(Plan.FREE)
    again = await lapsed.order(Plan.STARTER)
    assert (again.amount, again.credits) == (99_900, 500 * CREDIT)  # not the tenant's first period


async def test_a_renewal_in_grace_begins_with_the_next_sweep_where_its_settlement_died(
    new_subscriber: NewSubscriber,
) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.STARTER)
    ended = await end(subscriber)
    await subscriber.wait(Micros(ended + DAY))
    order = await subscriber.order(Plan.STARTER)
    purchase = PlanPurchase(order.order_id, Plan.STARTER, order.full_price, order.credits)
    now, subscriptions = subscriber.clock.now, subscriber.subscriptions
    paid = await subscriptions.purchase_operations(subscriber.tenant, purchase, order.unused_of, now)

    await subscriber.database.transact(paid or [])
    await subscriber.wait(Micros(now + MINUTE))

    assert await grants(subscriber) == [550, 500]
    assert (await subscriptions.records.get(subscriber.tenant)).start == ended


async def test_the_next_sweep_goes_on_where_one_died_between_two_periods(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.subscriptions.give(subscriber.tenant, Plan.STARTER, None, BUYER)
    first = await subscriber.subscriptions.records.get(subscriber.tenant)
    third = subscriber.clock.now = period_start(first.anchor, 2)
    process = subscriber.faulty()

    async def live() -> None:
        """Nothing happens before the first transaction."""

    async def die() -> None:
        raise Crash(Fault.DIE_BEFORE)

    process.before("TransactWriteItems", live, die)
    with pytest.raises(Crash):
        await subscriber.subscriptions_on(process).advance(subscriber.tenant)
    assert await grants(subscriber) == [550, 500]
    await subscriber.wait(Micros(third + MINUTE))

    assert await grants(subscriber) == [550, 500, 500]
    assert (await subscriber.subscriptions.records.get(subscriber.tenant)).start == third


async def test_a_downgrade_follows_at_the_end_and_can_be_taken_back(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.PRO)
    last = await end(subscriber)
    schedule = subscriber.subscriptions.schedule

    assert (await schedule(subscriber.tenant, Plan.FREE, BUYER)).next_plan is Plan.FREE
    assert (await schedule(subscriber.tenant, Plan.PRO, BUYER)).next_plan is None
    assert (await schedule(subscriber.tenant, Plan.STARTER, BUYER)).next_plan is Plan.STARTER
    with pytest.raises(ApiError, match="cannot downgrade pro→enterprise"):
        await schedule(subscriber.tenant, Plan.ENTERPRISE, BUYER)
    subscriber.clock.now = Micros(last - DAY)
    renewal = await subscriber.buy(Plan.STARTER)
    assert renewal.amount == 99_900
    with pytest.raises(ApiError, match="next period is paid"):
        await schedule(subscriber.tenant, Plan.PRO, BUYER)
    await subscriber.assert_on(Plan.PRO)

    await subscriber.wait(last)

    await subscriber.assert_on(Plan.STARTER)
    assert await grants(subscriber) == [6_000, 550]


async def test_a_refund_ends_the_plan_and_a_repeat_does_nothing(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    order = await subscriber.buy(Plan.PRO)

    for _ in range(2):
        await subscriber.subscriptions.end_plan(subscriber.tenant, order.order_id)

    await subscriber.assert_on(Plan.FREE)
    assert len(await subscriber.audited()) == 2
    again = await subscriber.buy(Plan.STARTER)
    await subscriber.subscriptions.end_plan(subscriber.tenant, order.order_id)
    assert again.status is OrderStatus.PAID
    await subscriber.assert_on(Plan.STARTER)


async def test_sweeps_at_once_grant_a_period_once(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.subscriptions.give(subscriber.tenant, Plan.STARTER, None, BUYER)
    first = await subscriber.subscriptions.records.get(subscriber.tenant)
    third = period_start(first.anchor, 2)

    await asyncio.gather(*(subscriber.wait(third) for _ in range(4)))

    assert await grants(subscriber) == [550, 500, 500]
    assert (await subscriber.subscriptions.records.get(subscriber.tenant)).start == third
