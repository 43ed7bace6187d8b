"""What comes between the reads and writes of a change of plan, one meeting each."""

from typing import Any

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import Micros
from callmissed.keys.secret import key_hash
from callmissed.plans.plans import Plan
from callmissed.platform.tables import BILLING, KEYS, TENANTS
from functions.billing.payments.records import OrderStatus
from functions.billing.subscriptions.records import subscription_key
from functions.billing.subscriptions.sweep import SubscriptionSweep
from tests.support.faults import Fault
from tests.support.keys.key_store import NOVEMBER, OLD
from tests.support.subscribers import NewSubscriber, Subscriber

OPERATOR = Actor(ActorKind.OPERATOR, "arn:aws:iam::1:user/operator", reason="agreed")


async def give(subscriber: Subscriber, plan: Plan) -> None:
    await subscriber.subscriptions.give(subscriber.tenant, plan, None, OPERATOR)


async def test_a_plan_that_can_not_be_applied_yet_is_applied_later(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    order, process = await subscriber.order(Plan.STARTER), subscriber.faulty()

    async def throttle() -> None:
        process.faults.extend([Fault.THROTTLE] * 4)  # all tries of the next read

    process.before("TransactWriteItems", throttle)
    paid = await subscriber.pay(order, dynamodb=process)

    assert (paid.status, process.pending) == (OrderStatus.PAID, 0)
    assert (await subscriber.subscriptions.records.get(subscriber.tenant)).pending
    await subscriber.wait(Micros(subscriber.clock.now + 1))
    await subscriber.assert_on(Plan.STARTER)


def of_key(request: dict[str, Any]) -> bool:
    return "KEY#" in str(request)


async def test_a_change_that_is_overtaken_at_a_key_leaves_it_to_the_other(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.key_store.key(subscriber.tenant)
    process = subscriber.faulty()
    process.before("TransactWriteItems", lambda: give(subscriber, Plan.ENTERPRISE), matching=of_key)

    await subscriber.subscriptions_on(process).give(subscriber.tenant, Plan.STARTER, None, OPERATOR)

    assert process.pending == 0
    await subscriber.assert_on(Plan.ENTERPRISE)


async def test_a_change_that_is_overtaken_at_its_end_leaves_it_to_the_other(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    process = subscriber.faulty()
    process.before("PutItem", lambda: give(subscriber, Plan.ENTERPRISE))

    await subscriber.subscriptions_on(process).give(subscriber.tenant, Plan.STARTER, None, OPERATOR)

    assert process.pending == 0
    await subscriber.assert_on(Plan.ENTERPRISE)


async def test_a_key_that_is_revoked_or_gone_meanwhile_is_left_alone(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    store, tenant = subscriber.key_store, subscriber.tenant
    revoked, gone = await store.key(tenant), await store.key(tenant)
    process = subscriber.faulty()
    process.before(
        "GetItem",
        lambda: store.manager.revoke(tenant, revoked.record.key_id),
        matching=lambda request: revoked.record.key_id in str(request),
    )
    process.before(
        "GetItem",
        lambda: subscriber.database.delete_if(TENANTS, {"tenant": tenant, "item": f"KEY#{gone.record.key_id}"}),
        matching=lambda request: gone.record.key_id in str(request),
    )

    await subscriber.subscriptions_on(process).give(tenant, Plan.PRO, None, OPERATOR)

    assert process.pending == 0
    await subscriber.assert_on(Plan.PRO)
    (left,) = await store.manager.keys_of(tenant)
    assert left.is_revoked


async def test_a_key_whose_item_is_missing_keeps_the_change_pending_until_it_is_there(
    new_subscriber: NewSubscriber,
) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    store = subscriber.key_store
    key = await store.key(subscriber.tenant)
    place = {"id": key_hash(OLD, key.secret)}
    item = await subscriber.database.get(KEYS, place)
    await subscriber.database.delete_if(KEYS, place)

    with pytest.raises(Unavailable, match="a key kept changing"):
        await give(subscriber, Plan.PRO)

    assert (await subscriber.subscriptions.records.get(subscriber.tenant)).pending
    await subscriber.database.put(KEYS, item)
    await subscriber.subscriptions.advance(subscriber.tenant)
    await subscriber.assert_on(Plan.PRO)
    assert (await store.call(key.secret, now=NOVEMBER)).key.plan == Plan.PRO


@pytest.mark.parametrize("how", ["a change", "an advance"])
async def test_a_subscription_that_keeps_changing_is_unavailable(new_subscriber: NewSubscriber, how: str) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.STARTER)
    before = await subscriber.subscriptions.records.get(subscriber.tenant)
    process = subscriber.faulty()

    async def change() -> None:
        """A revision more, as every change brings."""
        await subscriber.database.update(BILLING, subscription_key(subscriber.tenant), add={"revision": 1})

    process.before("TransactWriteItems", *[change] * 20)
    subscriptions = subscriber.subscriptions_on(process)
    if how == "an advance":
        subscriber.clock.now = Micros(before.lapses_at or 0)

    with pytest.raises(Unavailable, match="the subscription kept changing"):
        if how == "an advance":
            await subscriptions.advance(subscriber.tenant)
        else:
            await subscriptions.schedule(subscriber.tenant, Plan.FREE, OPERATOR)

    assert process.pending == 0
    after = await subscriber.subscriptions.records.get(subscriber.tenant)
    assert (after.plan, after.next_plan, after.revision) == (Plan.STARTER, None, before.revision + 20)


async def test_a_settlement_that_keeps_meeting_changes_is_unavailable(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await subscriber.buy(Plan.STARTER)
    order, process = await subscriber.order(Plan.PRO), subscriber.faulty()

    async def change() -> None:
        await subscriber.database.update(BILLING, subscription_key(subscriber.tenant), add={"revision": 1})

    process.before("TransactWriteItems", *[change] * 6)
    with pytest.raises(Unavailable, match="the order kept changing"):
        await subscriber.pay(order, dynamodb=process)

    assert process.pending == 0
    assert (await subscriber.pay(order)).status is OrderStatus.PAID
    await subscriber.assert_on(Plan.PRO)


async def test_the_sweep_ends_in_time(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    others = [subscriber, await new_subscriber(Plan.FREE)]
    for each in others:
        await each.buy(Plan.STARTER)
    due = Micros((await subscriber.subscriptions.records.get(subscriber.tenant)).lapses_at or 0)
    moments = iter(range(due + 60_000_000, due + 10**12, 41_000_000))
    for each in others:
        each.clock.now = Micros(due + 120_000_000)

    report = await SubscriptionSweep(subscriber.subscriptions, lambda: Micros(next(moments))).run(
        Micros(due + 120_000_000)
    )

    assert (report.due, report.failed) == (1, 0)
