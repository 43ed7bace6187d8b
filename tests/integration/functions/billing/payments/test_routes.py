"""The routes of purchases, through the gateway: who may, how often, and what is refused."""

import asyncio
import json
import re
from typing import Any

import pytest

from callmissed.clock import MINUTE
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_member, new_tenant, sign_in
from tests.support.sign_in import SettableClock
from tests.support.whole_product import Reply, Sent, WholeProduct

PAYMENTS = "/api/v1/payments"
PACK = {"type": "credit_topup", "credits": 100}
BUYERS = {Role.OWNER, Role.ADMIN}
NAMES = {"create-order": BUYERS, "verify": set(Role), "retry": BUYERS, "downgrade": BUYERS}
"""Routes with a body, and who may call them."""


async def post(person: SignedIn, name: str, body: Any) -> Reply:
    return await person.call("POST", f"{PAYMENTS}/{name}", body)


async def ordered(person: SignedIn, **changes: Any) -> str:
    """Id of a new order."""
    reply = await post(person, "create-order", PACK | changes)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)["order_id"]


async def verified(person: SignedIn, order: str) -> dict[str, str]:
    reply = await post(person, "verify", {"order_id": order})
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


async def refused(person: SignedIn, name: str, body: Any) -> tuple[int, str]:
    reply = await post(person, name, body)
    return reply.status, reply.error["code"]


async def history(person: SignedIn) -> list[dict[str, Any]]:
    return json.loads((await person.call("GET", f"{PAYMENTS}/history")).body)


def body_of(name: str, order: str) -> Any:
    bodies = {"create-order": PACK, "downgrade": {"plan": "free"}}
    return bodies.get(name, {"order_id": order})


async def refund(product: WholeProduct, order: str, **body: Any) -> Reply:
    path = f"/api/v1/admin/payments/{order}/refund"
    return await Operator().call(product, "POST", path, {"refund_id": "one", "reason": "asked", **body})


async def test_order_has_exactly_its_fields(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product)

    reply = await post(owner, "create-order", {"type": "credit_topup", "credits": 500, "client": "console"})

    made = json.loads(reply.body)
    at_gateway = gateway.order(made["order_id"])
    assert re.fullmatch("cm_[0-9a-f]{16}", made["order_id"])
    assert made == {
        "order_id": at_gateway.order_id,
        "cf_order_id": at_gateway.reference,
        "payment_session_id": at_gateway.session_id,
        "amount": 449.0,
        "currency": "INR",
        "env": "sandbox",
    }
    (row,) = await history(owner)
    created = row.pop("created_at")
    assert created.startswith("2026-11-2")
    assert row == {
        "order_id": made["order_id"],
        "amount": 449.0,
        "currency": "INR",
        "status": "pending",
        "plan_from": "pro",
        "plan_to": "topup_510",
        "payment_method": None,
    }


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_what_the_table_says(paying_product: WholeProduct, role: Role) -> None:
    owner = await new_tenant(paying_product)
    order = await ordered(owner)
    member = owner if role is Role.OWNER else await new_member(owner, role)

    for name, roles in NAMES.items():
        reply = await post(member, name, body_of(name, order))
        assert reply.status == (200 if role in roles else 403), (name, reply.body)
        if role not in roles:
            assert reply.error["code"] == "permission_denied"
    assert (await member.call("GET", f"{PAYMENTS}/history")).status == 200


@pytest.mark.parametrize("name", [*NAMES, "history"])
async def test_no_route_is_for_keys_or_for_nobody(paying_product: WholeProduct, name: str) -> None:
    owner = await new_tenant(paying_product)
    key = json.loads((await owner.call("POST", "/api/v1/keys", {"name": "mine"})).body)["key"]
    method = "GET" if name == "history" else "POST"
    content = json.dumps(body_of(name, "cm_0")).encode()
    for credential in ((), (("Authorization", f"Bearer {key}"),), (("Authorization", "Bearer nobody"),)):
        headers = (("Content-Type", "application/json"), *credential)
        reply = await paying_product.through_local_gateway(Sent(method, f"{PAYMENTS}/{name}", headers, content))
        assert reply.status == 401, (name, reply.body)
    assert await history(owner) == []


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "Name the plan"),
        ({"type": "plan_upgrade", "plan": None}, 400, "Name the plan"),
        ({"plan": "starter"}, 400, "cannot upgrade pro→starter"),
        ({"plan": "pro"}, 400, "cannot upgrade pro→pro"),
        ({"plan": "free"}, 422, ""),
        ({"plan": "Pro"}, 422, ""),
        ({"type": "gift"}, 422, ""),
        ({"type": "credit_topup"}, 400, "has 10 to 100000"),
        ({**PACK, "credits": 9}, 400, "has 10 to 100000"),
        ({**PACK, "credits": 100_001}, 422, ""),
        ({**PACK, "credits": -100}, 422, ""),
        ({**PACK, "credits": 99.5}, 422, ""),
        ({**PACK, "credits": 1e300}, 422, ""),
        ({**PACK, "credits": float("nan")}, 422, ""),
        ({**PACK, "credits": float("inf")}, 422, ""),
        ({**PACK, "credits": True}, 422, ""),
        ({**PACK, "client": "phone"}, 422, ""),
        ({**PACK, "amount": 1}, 422, ""),
        ([], 422, ""),
        (None, 422, ""),
    ],
)
async def test_bad_order_is_refused_and_not_written(
    paying_product: WholeProduct, gateway: FakeCashfree, body: Any, status: int, says: str
) -> None:
    owner = await new_tenant(paying_product)
    known = set(gateway.state.orders)

    reply = await post(owner, "create-order", body)

    assert (reply.status, reply.error["code"]) == (status, "invalid_request_error"), reply.body
    assert says in reply.error["message"]
    assert await history(owner) == []
    assert set(gateway.state.orders) == known


async def test_tenant_orders_twenty_times_a_minute(paying_product: WholeProduct, clock: SettableClock) -> None:
    owner, other = await new_tenant(paying_product), await new_tenant(paying_product)
    admin = await new_member(owner, Role.ADMIN)

    replies = await asyncio.gather(*(post(person, "create-order", PACK) for person in (owner, admin) * 12))

    late = [reply for reply in replies if reply.status != 200]
    assert [(reply.status, reply.error["code"]) for reply in late] == [(429, "rate_limit_exceeded")] * 4
    assert {reply.headers["retry-after"] for reply in late} == {"60"}
    assert len(await history(owner)) == 20
    assert (await post(other, "create-order", PACK)).status == 200
    clock.pass_seconds(59)
    again = await post(owner, "create-order", PACK)
    assert (again.status, again.headers["retry-after"]) == (429, "1")
    clock.pass_seconds(1)
    assert (await post(owner, "create-order", PACK)).status == 200


@pytest.mark.parametrize("path", ["verify", "retry"])
async def test_tenant_asks_about_orders_twenty_times_a_minute(paying_product: WholeProduct, path: str) -> None:
    owner, other = await new_tenant(paying_product), await new_tenant(paying_product)
    asked = {"order_id": await ordered(owner)}

    replies = await asyncio.gather(*(post(owner, path, asked) for _ in range(22)))

    assert sorted(reply.status for reply in replies) == [200] * 20 + [429] * 2
    assert (await post(other, path, {"order_id": await ordered(other)})).status == 200


async def test_verify_shows_each_state(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product)
    agent, order = await new_member(owner, Role.AGENT), await ordered(owner)
    assert await verified(agent, order) == {"status": "pending", "plan": "topup_100"}
    gateway.act(order, "fail")
    assert await verified(agent, order) == {"status": "pending", "plan": "topup_100"}
    assert (await history(owner))[0]["status"] == "failed"
    gateway.act(order, "pay")
    for _ in range(2):
        assert await verified(agent, order) == {"status": "paid", "plan": "topup_100"}
    assert (await history(owner))[0]["payment_method"] == "upi"
    assert (await refund(paying_product, order)).status == 200
    assert await verified(agent, order) == {"status": "refunded", "plan": "topup_100"}


async def test_verify_of_a_foreign_order_is_404_and_settles_nothing(
    paying_product: WholeProduct, gateway: FakeCashfree
) -> None:
    owner, stranger = await new_tenant(paying_product), await new_tenant(paying_product)
    order = await ordered(owner)
    gateway.act(order, "pay")

    assert await refused(stranger, "verify", {"order_id": order}) == (404, "not_found")
    assert await refused(stranger, "retry", {"order_id": order}) == (404, "not_found")

    assert (await history(owner))[0]["status"] == "pending"
    assert await history(stranger) == []


async def test_wrong_amount_is_409_and_grants_nothing(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product)
    order = await ordered(owner)
    gateway.order(order).amount = 98.0
    gateway.act(order, "pay")

    for name in ("verify", "verify"):
        assert await refused(owner, name, {"order_id": order}) == (409, "amount_mismatch")

    balance = json.loads((await owner.call("GET", "/api/v1/credits/balance")).body)
    assert balance["balance"] == 0


@pytest.mark.parametrize("fault", ["down", "lost", "garbled"])
async def test_gateway_that_fails_is_502_without_its_text(
    paying_product: WholeProduct, gateway: FakeCashfree, fault: str
) -> None:
    owner = await new_tenant(paying_product)
    order = await ordered(owner)
    gateway.fault(fault, times=9)

    replies = [await post(owner, "verify", {"order_id": order}), await post(owner, "create-order", PACK)]
    gateway.state.faults.clear()

    for reply in replies:
        assert (reply.status, reply.error["code"]) == (502, "payment_gateway_error")
        assert b"upstream" not in reply.body
        assert b"try again" not in reply.body
    (kept,) = {row["order_id"] for row in await history(owner)} - {order}
    assert (await post(owner, "retry", {"order_id": kept})).status == 200


async def test_retry_gives_the_same_session_for_14_minutes(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock
) -> None:
    owner = await new_tenant(paying_product)
    first = json.loads((await post(owner, "create-order", PACK)).body)
    again = json.loads((await post(owner, "retry", {"order_id": first["order_id"]})).body)
    assert again == first
    clock.pass_seconds(14 * 60)
    owner = await sign_in(paying_product, owner.user)

    new = json.loads((await post(owner, "retry", {"order_id": first["order_id"], "client": "web"})).body)

    assert new["payment_session_id"] != first["payment_session_id"]
    changed = ("payment_session_id", "cf_order_id")
    assert {**new, **{name: first[name] for name in changed}} == first
    gateway.act(first["order_id"], "pay")  # in the session before
    assert (await verified(owner, first["order_id"]))["status"] == "paid"
    assert await refused(owner, "retry", {"order_id": first["order_id"]}) == (400, "order_completed")
    await refund(paying_product, first["order_id"])
    assert await refused(owner, "retry", {"order_id": first["order_id"]}) == (400, "order_completed")


async def test_order_of_a_plan_is_not_retried_after_a_day(paying_product: WholeProduct, clock: SettableClock) -> None:
    owner = await new_tenant(paying_product, plan=Plan.FREE)
    order = await ordered(owner, type="plan_upgrade", plan="starter")
    clock.pass_seconds(24 * 60 * MINUTE / 1_000_000 + 1)
    owner = await sign_in(paying_product, owner.user)

    assert await refused(owner, "retry", {"order_id": order}) == (400, "order_expired")


@pytest.mark.parametrize("name", ["verify", "retry"])
@pytest.mark.parametrize("body", [{}, {"order_id": ""}, {"order_id": "a" * 101}, {"order_id": 5}, {"order_id": None}])
async def test_bad_reference_is_422(paying_product: WholeProduct, name: str, body: Any) -> None:
    owner = await new_tenant(paying_product)
    assert await refused(owner, name, body) == (422, "invalid_request_error")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5"])
async def test_history_has_one_to_a_hundred_rows(paying_product: WholeProduct, limit: str) -> None:
    owner = await new_tenant(paying_product)
    assert (await owner.call("GET", f"{PAYMENTS}/history", query=f"limit={limit}")).status == 422


async def test_without_a_gateway_each_payment_route_is_503(
    paying_product: WholeProduct, gateway: FakeCashfree, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await new_tenant(paying_product)
    pending, paid = await ordered(owner), await ordered(owner)
    gateway.act(paid, "pay")
    await verified(owner, paid)
    monkeypatch.delenv("CASHFREE_SECRET_KEY")
    known = set(gateway.state.orders)

    replies = [
        await post(owner, "create-order", PACK),
        await post(owner, "create-order", {"plan": "enterprise"}),
        await post(owner, "verify", {"order_id": pending}),
        await post(owner, "retry", {"order_id": pending}),
        await post(owner, "retry", {"order_id": "cm_0"}),
        await refund(paying_product, paid),
    ]

    found = [(reply.status, reply.error["code"]) for reply in replies]
    assert found == [(503, "payments_not_configured")] * len(replies)
    assert set(gateway.state.orders) == known
    assert sorted(row["status"] for row in await history(owner)) == ["paid", "pending"]
    assert (await verified(owner, paid))["status"] == "paid"  # nothing to ask
