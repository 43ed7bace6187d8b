"""The routes of plans, through the gateway: downgrades by people, and plans that operators give."""

import json
from typing import Any

import pytest

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros, iso
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import AUDIT
from functions.billing.subscriptions.periods import period_start
from functions.billing.subscriptions.records import DAY, GRACE, Subscription
from functions.billing.subscriptions.repository import write_operation
from functions.billing.subscriptions.sweep import SubscriptionSweep
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_member, new_tenant, sign_in
from tests.support.sign_in import SettableClock
from tests.support.whole_product import Reply, Sent, WholeProduct

PAYMENTS, ADMIN = "/api/v1/payments", "/api/v1/admin/tenants"
FREE = {
    "plan": "free",
    "status": "free",
    "period_start": None,
    "period_end": None,
    "ends_at": None,
    "lapses_at": None,
    "is_renewed": False,
    "scheduled_plan": None,
}


def content(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.error["code"]


async def downgrade(person: SignedIn, plan: Any) -> Reply:
    return await person.call("POST", f"{PAYMENTS}/downgrade", {"plan": plan})


async def give(product: WholeProduct, tenant_id: str, **body: Any) -> Reply:
    return await Operator().call(product, "POST", f"{ADMIN}/{tenant_id}/plan", {"reason": "agreed", **body})


async def buy(person: SignedIn, gateway: FakeCashfree, plan: Plan) -> None:
    """Order a plan, pay it, and let `verify` settle it."""
    ordered = await person.call("POST", f"{PAYMENTS}/create-order", {"plan": plan})
    order = content(ordered)["order_id"]
    gateway.act(order, "pay")
    settled = await person.call("POST", f"{PAYMENTS}/verify", {"order_id": order})
    assert content(settled) == {"status": "paid", "plan": plan}


async def shown(person: SignedIn) -> dict[str, Any]:
    """The subscription as `GET /api/v1/tenants/me/billing` shows it to a new session; its plan is the tenant's."""
    again = await sign_in(person.product, person.user)
    billing = content(await again.call("GET", "/api/v1/tenants/me/billing"))
    assert billing["plan"] == billing["subscription"]["plan"]
    return billing["subscription"]


async def wait(product: WholeProduct, clock: SettableClock, until: Micros) -> None:
    """Let time pass, and the sweep run."""
    clock.now = until
    await SubscriptionSweep(product.billing.subscriptions, clock).run(until)


async def changes(product: WholeProduct, tenant: str) -> list[Item]:
    """The audit events of the tenant's plan, oldest first."""
    events = product.database.query(AUDIT, tenant, consistent=True)
    return [event async for event in events if event["action"] == "plan.change"]


async def test_billing_shows_a_subscription_through_its_life(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock
) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    assert await shown(owner) == FREE
    begun = clock()
    await buy(owner, gateway, Plan.STARTER)
    end = period_start(begun, 1)
    bought = {
        "plan": "starter",
        "status": "active",
        "period_start": iso(begun),
        "period_end": iso(end),
        "ends_at": iso(end),
        "lapses_at": iso(Micros(end + GRACE)),
        "is_renewed": False,
        "scheduled_plan": None,
    }
    assert await shown(owner) == bought

    clock.now = Micros(end - DAY)
    owner = await sign_in(paying_product, owner.user)
    await buy(owner, gateway, Plan.STARTER)
    second = period_start(begun, 2)
    paid_on = {"is_renewed": True, "ends_at": iso(second), "lapses_at": iso(Micros(second + GRACE))}
    assert await shown(owner) == bought | paid_on
    assert content(await downgrade(owner, "free"))["scheduled_plan"] == "free"
    await wait(paying_product, clock, end)
    moved = {"period_start": iso(end), "period_end": iso(second), "is_renewed": False, "scheduled_plan": "free"}
    assert await shown(owner) == bought | paid_on | moved
    assert content(await downgrade(await sign_in(paying_product, owner.user), "starter"))["scheduled_plan"] is None

    await wait(paying_product, clock, Micros(second + DAY))
    assert await shown(owner) == bought | paid_on | moved | {"status": "grace", "scheduled_plan": None}
    await wait(paying_product, clock, Micros(second + GRACE))
    assert await shown(owner) == FREE


@pytest.mark.parametrize("role", list(Role))
async def test_owners_and_admins_schedule_a_downgrade(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock, role: Role
) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    await buy(owner, gateway, Plan.STARTER)
    before, member = await shown(owner), owner if role is Role.OWNER else await new_member(owner, role)

    reply = await downgrade(member, "free")

    if role is Role.AGENT:
        assert refusal(reply) == (403, "permission_denied")
        assert await shown(owner) == before
        return
    assert content(reply) == before | {"scheduled_plan": "free"} == await shown(owner)
    event = (await changes(paying_product, owner.tenant))[-1]
    assert (event["actor_id"], event["metadata"]["next"]) == (member.user.user_id, "free")
    await wait(paying_product, clock, period_start(clock(), 1))
    assert await shown(owner) == FREE


async def test_downgrade_needs_a_session(paying_product: WholeProduct) -> None:
    headers = (("Content-Type", "application/json"),)
    reply = await paying_product.through_local_gateway(Sent("POST", f"{PAYMENTS}/downgrade", headers, b"{}"))
    assert reply.status == 401


async def test_a_change_under_way_is_shown_until_it_is_made(paying_product: WholeProduct) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    subscriptions, now = paying_product.billing.subscriptions, paying_product.clock()
    pending = Subscription(owner.tenant, Plan.STARTER, now, pending=True, revision=1)
    await paying_product.database.transact([write_operation(pending, now)])

    changing = content(await owner.call("GET", "/api/v1/tenants/me/billing"))
    await subscriptions.advance(owner.tenant)

    assert (changing["plan"], changing["subscription"]["status"]) == ("free", "changing")
    assert (await shown(owner))["status"] == "active"


async def test_an_upgrade_cancels_a_scheduled_downgrade(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    await buy(owner, gateway, Plan.STARTER)
    assert content(await downgrade(owner, "free"))["scheduled_plan"] == "free"

    await buy(owner, gateway, Plan.PRO)

    after = await shown(owner)
    assert (after["plan"], after["scheduled_plan"]) == ("pro", None)


async def test_a_repeated_downgrade_is_one_change_and_the_own_plan_takes_it_back(
    paying_product: WholeProduct, gateway: FakeCashfree
) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    await buy(owner, gateway, Plan.PRO)
    made = len(await changes(paying_product, owner.tenant))

    for plan, scheduled in (("starter", "starter"), ("starter", "starter"), ("pro", None), ("pro", None)):
        assert content(await downgrade(owner, plan))["scheduled_plan"] == scheduled

    assert len(await changes(paying_product, owner.tenant)) == made + 2


async def test_a_downgrade_to_no_lower_plan_is_refused(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock
) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    for plan in ("starter", "pro", "enterprise"):
        reply = await downgrade(owner, plan)
        assert refusal(reply) == (400, "invalid_request_error")
        assert f"cannot downgrade free→{plan}" in reply.error["message"]
    assert content(await downgrade(owner, "free")) == FREE
    assert await changes(paying_product, owner.tenant) == []

    content(await give(paying_product, owner.tenant, plan="pro"))
    assert "not bought" in (await downgrade(owner, "starter")).error["message"]
    assert content(await downgrade(owner, "free"))["scheduled_plan"] == "free"
    await wait(paying_product, clock, period_start(clock(), 1))
    assert await shown(owner) == FREE


async def test_a_downgrade_below_a_paid_renewal_is_409(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock
) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    await buy(owner, gateway, Plan.PRO)
    content(await downgrade(owner, "starter"))
    clock.now = Micros(period_start(clock(), 1) - DAY)
    owner = await sign_in(paying_product, owner.user)
    await buy(owner, gateway, Plan.STARTER)

    assert refusal(await downgrade(owner, "pro")) == (409, "conflict")
    assert (await shown(owner))["scheduled_plan"] == "starter"


@pytest.mark.parametrize("plan", ["gold", "", None, 1, ["free"], "FREE", "p" * 5000])
async def test_a_plan_that_does_not_exist_is_422(paying_product: WholeProduct, plan: Any) -> None:
    owner = await new_tenant(paying_product)
    assert refusal(await downgrade(owner, plan)) == (422, "invalid_request_error")
    assert refusal(await give(paying_product, owner.tenant, plan=plan)) == (422, "invalid_request_error")


@pytest.mark.parametrize("body", [{}, {"plan": "free", "when": "now"}, [], None])
async def test_a_downgrade_without_its_body_is_422(paying_product: WholeProduct, body: Any) -> None:
    owner = await new_tenant(paying_product)
    reply = await owner.call("POST", f"{PAYMENTS}/downgrade", body)
    assert refusal(reply) == (422, "invalid_request_error")


async def test_an_operator_gives_a_plan_until_a_moment(paying_product: WholeProduct, clock: SettableClock) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    now = clock()
    until = Micros((now + 40 * DAY) // SECOND * SECOND)

    given = content(await give(paying_product, owner.tenant, plan="enterprise", until=iso(until)))

    expected = {
        "plan": "enterprise",
        "status": "active",
        "period_start": iso(now),
        "period_end": iso(period_start(now, 1)),
        "ends_at": iso(until),
        "lapses_at": iso(until),
        "is_renewed": False,
        "scheduled_plan": None,
    }
    assert given == expected == await shown(owner)
    (event,) = await changes(paying_product, owner.tenant)
    assert (event["metadata"]["reason"], event["actor_kind"]) == ("agreed", "operator")
    await wait(paying_product, clock, period_start(now, 1))
    await wait(paying_product, clock, until)
    assert await shown(owner) == FREE


async def test_a_plan_may_be_given_until_the_end_of_the_calendar(paying_product: WholeProduct) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    content(await give(paying_product, owner.tenant, plan="starter", until="9999-12-31T23:59:59.999Z"))
    assert (await shown(owner))["ends_at"] == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, 400),
        ({"until": "2030-01-01T00:00:00"}, 422),
        ({"until": "tomorrow"}, 422),
        ({"until": "9999-12-31T23:59:59-14:00"}, 422),  # of the year 10000 in UTC
        ({"until": "0001-01-01T00:00:00+14:00"}, 422),
        ({"until": "0001-01-01T00:00:00Z"}, 400),
        ({"until": True}, 422),
        ({"reason": ""}, 422),
        ({"reason": "  "}, 422),
        ({"reason": "x" * 501}, 422),
        ({"reason": None}, 422),
        ({"tenant": "tnt_1"}, 422),
    ],
)
async def test_a_bad_gift_is_refused_and_changes_nothing(
    paying_product: WholeProduct, wrong: dict[str, Any], status: int
) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)

    reply = await give(paying_product, owner.tenant, **{"plan": "pro", **wrong})

    assert refusal(reply) == (status, "invalid_request_error")
    assert await shown(owner) == FREE


@pytest.mark.parametrize("tenant", ["tnt_0123456789abcdef01234567", "tnt_", "%23", "a" * 200])
async def test_an_unknown_tenant_gets_no_plan(paying_product: WholeProduct, tenant: str) -> None:
    assert refusal(await give(paying_product, tenant, plan="pro")) == (404, "not_found")


async def test_only_operators_give_plans(paying_product: WholeProduct) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    path, body = f"{ADMIN}/{owner.tenant}/plan", {"plan": "pro", "reason": "please"}

    by_owner = await owner.call("POST", path, body)
    by_forger = await Operator(secret="guessed").call(paying_product, "POST", path, body)

    assert by_owner.status in (403, 404)
    assert by_forger.status == 403
    assert await shown(owner) == FREE
