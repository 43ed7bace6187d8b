"""The change of a plan reaches record, wallets, quotas and keys, whatever happens meanwhile."""

import asyncio
import random

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Hold, Ledger
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan, limits
from functions.billing.subscriptions.records import Subscription, next_revision
from functions.billing.subscriptions.repository import write_operation
from tests.support.faults import Crash, Fault
from tests.support.keys.key_store import NOVEMBER
from tests.support.stride import some
from tests.support.subscribers import NewSubscriber, Subscriber

OPERATOR = Actor(ActorKind.OPERATOR, "arn:aws:iam::1:user/operator", reason="agreed")
POLICY = KeyPolicy()
DEATHS = (Fault.DIE_BEFORE, Fault.DIE_AFTER)


async def give(subscriber: Subscriber, plan: Plan) -> Subscription:
    return await subscriber.subscriptions.give(subscriber.tenant, plan, None, OPERATOR)


async def begin(subscriber: Subscriber, plan: Plan) -> Subscription:
    """Write the change of the subscription only, as a process does that dies after it."""
    before = await subscriber.subscriptions.records.get(subscriber.tenant)
    after = next_revision(before, plan=plan, pending=True, paid_until=None, bought=None)
    await subscriber.database.transact([write_operation(after, subscriber.clock())])
    return after


async def hold(subscriber: Subscriber, amount: int, shards: int = 1, *, now: int = NOVEMBER) -> Hold:
    call = new_call_id(Micros(now), 20)
    held, _ = await Ledger(subscriber.database).hold(
        subscriber.tenant, call, "llm", MicroCredits(amount), shards=shards
    )
    return held


async def credit(subscriber: Subscriber, amount: int) -> None:
    await grant(
        subscriber.database,
        tenant=subscriber.tenant,
        amount=MicroCredits(amount),
        operation_id=f"op{random.random()}",
        now=subscriber.clock(),
    )


async def test_a_plan_reaches_record_wallet_quotas_and_every_secret(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    await credit(subscriber, 10 * CREDIT)
    store, tenant = subscriber.key_store, subscriber.tenant
    planned, own = await store.key(tenant), await store.key(tenant, rpm=7)
    test_key = await store.key(tenant, mode=Mode.TEST)
    await store.manager.rotate(tenant, planned.record.key_id, overlap_minutes=60, now=NOVEMBER)
    for _ in range(3):
        await hold(subscriber, CREDIT)

    await give(subscriber, Plan.PRO)

    await subscriber.assert_on(Plan.PRO)
    money = await subscriber.money()
    assert money.quotas_left["llm"] == limits(Plan.PRO).monthly_quotas["llm"] - 3
    assert money.calls_made["llm"] == 3
    keys = {key.key_id: key for key in await store.manager.keys_of(tenant)}
    assert keys[planned.record.key_id].rpm == keys[test_key.record.key_id].rpm == limits(Plan.PRO).default_rpm
    assert keys[own.record.key_id].rpm == 7
    assert len(keys[planned.record.key_id].hashes) == 2


async def test_calls_of_a_higher_plan_use_up_the_quota_of_the_lower_one(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    await credit(subscriber, 500 * CREDIT)
    for _ in range(limits(Plan.FREE).monthly_quotas["llm"] + 1):
        await hold(subscriber, 1)

    await give(subscriber, Plan.FREE)

    with pytest.raises(ApiError, match="100/100"):
        await hold(subscriber, 1)
    money = await subscriber.money()
    assert (money.quotas_left["llm"], money.calls_made["llm"]) == (0, 101)
    await give(subscriber, Plan.STARTER)
    assert (await subscriber.money()).quotas_left["llm"] == 5_000 - 101


async def test_free_plan_refuses_models_that_cost_by_the_keys_item(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.PRO)
    key = await subscriber.key_store.key(subscriber.tenant)

    await give(subscriber, Plan.FREE)
    admitted = await subscriber.key_store.call(key.secret)

    assert not limits(admitted.key.plan).allows(free=False)


async def _ended(subscriber: Subscriber, step: int, death: Fault) -> bool:
    """Change the plan in a process that dies at its request `step`; whether it lived on."""
    process = subscriber.faulty()
    process.faults.extend([None] * step + [death])
    try:
        await subscriber.subscriptions_on(process).give(subscriber.tenant, Plan.FREE, None, OPERATOR)
    except Crash:
        return False
    return True


@pytest.mark.parametrize("death", DEATHS)
async def test_a_change_survives_death_at_every_step(new_subscriber: NewSubscriber, death: Fault) -> None:
    for step in some(range(40)):
        subscriber = await new_subscriber(Plan.ENTERPRISE)
        await credit(subscriber, 80 * CREDIT)
        for _ in range(2):
            await subscriber.key_store.key(subscriber.tenant)
        await hold(subscriber, CREDIT, 8)
        before = await subscriber.money()

        lived = await _ended(subscriber, step, death)
        await subscriber.subscriptions.advance(subscriber.tenant)
        if not (await subscriber.subscriptions.records.get(subscriber.tenant)).revision:
            await give(subscriber, Plan.FREE)  # it died before the change was written

        await subscriber.assert_on(Plan.FREE)
        after = await subscriber.money()
        assert (after.available, after.held, after.granted) == (before.available, before.held, before.granted), step
        assert len(await subscriber.audited()) == 1
        if lived:
            return
    raise AssertionError("the change never came to its end")


async def test_what_was_interrupted_is_in_the_index_of_what_is_due(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    await begin(subscriber, Plan.PRO)
    records = subscriber.subscriptions.records

    assert subscriber.tenant in [tenant async for tenant in records.due(subscriber.clock())]
    await subscriber.subscriptions.advance(subscriber.tenant)

    await subscriber.assert_on(Plan.PRO)
    assert subscriber.tenant not in [tenant async for tenant in records.due(subscriber.clock())]


async def test_changes_at_once_end_on_one_plan_everywhere(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    await credit(subscriber, 10 * CREDIT)
    for _ in range(3):
        await subscriber.key_store.key(subscriber.tenant)

    plans = [Plan.STARTER, Plan.PRO, Plan.ENTERPRISE, Plan.FREE]
    await asyncio.gather(*(give(subscriber, plan) for plan in plans))

    last = await subscriber.subscriptions.records.get(subscriber.tenant)
    await subscriber.assert_on(last.plan)
    assert len(await subscriber.audited()) == len(plans)


async def test_an_overtaken_change_writes_nothing_more(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.FREE)
    key = await subscriber.key_store.key(subscriber.tenant)
    process = subscriber.faulty()
    process.before(
        "TransactWriteItems",
        lambda: give(subscriber, Plan.ENTERPRISE),
        matching=lambda request: "TENANT" in str(request["TransactItems"][1]),
    )

    await subscriber.subscriptions_on(process).give(subscriber.tenant, Plan.STARTER, None, OPERATOR)

    assert process.pending == 0
    await subscriber.assert_on(Plan.ENTERPRISE)
    assert (await subscriber.key_store.hot(key.secret))["plan"] == "enterprise"


async def test_a_key_made_while_the_plan_changes_gets_the_new_one(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    process = subscriber.faulty()
    process.before("TransactWriteItems", lambda: give(subscriber, Plan.PRO))

    new = await subscriber.key_store.managed_by(process).create(
        subscriber.tenant, name="t", mode=Mode.LIVE, policy=POLICY, now=NOVEMBER
    )

    assert (process.pending, new.record.rpm) == (0, limits(Plan.PRO).default_rpm)
    await subscriber.assert_on(Plan.PRO)


async def test_a_key_rotated_while_the_plan_changes_keeps_neither_secret_behind(
    new_subscriber: NewSubscriber,
) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    key = await subscriber.key_store.key(subscriber.tenant)
    process = subscriber.faulty()
    process.before(
        "TransactWriteItems",
        lambda: subscriber.key_store.manager.rotate(
            subscriber.tenant, key.record.key_id, overlap_minutes=5, now=NOVEMBER
        ),
        matching=lambda request: "KEY#" in str(request),
    )

    await subscriber.subscriptions_on(process).give(subscriber.tenant, Plan.PRO, None, OPERATOR)

    assert process.pending == 0
    await subscriber.assert_on(Plan.PRO)


async def test_a_change_between_read_and_write_of_a_rotation_is_not_lost(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    key = await subscriber.key_store.key(subscriber.tenant)
    process = subscriber.faulty()
    process.before("TransactWriteItems", lambda: give(subscriber, Plan.PRO))

    await subscriber.key_store.managed_by(process).rotate(
        subscriber.tenant, key.record.key_id, overlap_minutes=5, now=NOVEMBER
    )

    assert process.pending == 0
    await subscriber.assert_on(Plan.PRO)


async def test_a_month_that_begins_with_the_old_plan_in_mind_does_not_bring_its_quotas(
    new_subscriber: NewSubscriber,
) -> None:
    subscriber = await new_subscriber(Plan.STARTER)
    await credit(subscriber, 10 * CREDIT)
    process, december = subscriber.faulty(), NOVEMBER + 20 * 24 * 60 * MINUTE
    process.before(
        "UpdateItem", lambda: give(subscriber, Plan.PRO), matching=lambda request: "spt" in request["UpdateExpression"]
    )

    await Ledger(Database(process, subscriber.key_store.store.stage)).hold(
        subscriber.tenant, new_call_id(Micros(december), 20), "llm", MicroCredits(1)
    )

    assert process.pending == 0
    first = (await subscriber.wallets())[0]
    assert (first.month, first.quotas["llm"]) == (202612, limits(Plan.PRO).monthly_quotas["llm"] - 1)


async def test_enterprise_and_back_brings_all_credits_along(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.ENTERPRISE)
    await credit(subscriber, 800 * CREDIT)
    holds = [await hold(subscriber, 10 * CREDIT, 8) for _ in range(24)]
    before = await subscriber.money()
    assert len(await subscriber.wallets()) == 8

    await give(subscriber, Plan.FREE)
    first, *others = await subscriber.wallets()
    assert first.available == before.available
    assert {wallet.available for wallet in others} == {0}
    for each in holds:
        await Ledger(subscriber.database).release(each)
    money = await subscriber.money()
    assert (money.available, money.held) == (800 * CREDIT, 0)
    await hold(subscriber, 799 * CREDIT)  # what came back to the other wallets is borrowed

    await give(subscriber, Plan.ENTERPRISE)
    money, bonus = await subscriber.money(), limits(Plan.ENTERPRISE).monthly_grant
    assert (money.available, money.held) == (CREDIT + bonus, 799 * CREDIT)
    await hold(subscriber, bonus, 8)


async def test_two_hundred_keys_change_while_calls_go_on_and_keys_come_and_go(new_subscriber: NewSubscriber) -> None:
    subscriber = await new_subscriber(Plan.PRO)
    await credit(subscriber, 1_000 * CREDIT)
    store, tenant = subscriber.key_store, subscriber.tenant
    keys = [await store.key(tenant) for _ in range(190)]

    async def calls() -> int:
        admitted = 0
        for key in keys[::10]:
            admitted += (await store.refusal(key.secret)) == "admitted"
            await hold(subscriber, 1)
        return admitted

    async def changes() -> None:
        for key in keys[100:110]:
            await store.manager.rotate(tenant, key.record.key_id, overlap_minutes=5, now=NOVEMBER)
        for key in keys[151:161]:
            await store.manager.revoke(tenant, key.record.key_id)
        for _ in range(10):
            await store.key(tenant)

    admitted, _, _ = await asyncio.gather(calls(), changes(), give(subscriber, Plan.STARTER))

    await subscriber.assert_on(Plan.STARTER)
    assert admitted == 19
    money = await subscriber.money()
    assert money.calls_made["llm"] == 19
    assert money.available + money.held == money.granted
