"""Nothing of billing is visible across tenants, and each route does its work for its own tenant."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio

from callmissed.platform.functions import BILLING_API
from callmissed.platform.routes import ROUTES, Auth, Role, Route
from callmissed.platform.tables import AUDIT
from tests.support.people import SignedIn, new_member, new_tenant
from tests.support.whole_product import Reply, Sent, WholeProduct

PAYMENTS, CREDITS = "/api/v1/payments", "/api/v1/credits"
SERVED = [route for route in ROUTES if route.function == BILLING_API.name and route.auth is not Auth.OPERATOR]
OF_ORDERS = [f"POST {PAYMENTS}/verify", f"POST {PAYMENTS}/retry"]
"""Routes whose body names an order."""
READING = [
    f"GET {CREDITS}/balance",
    f"GET {PAYMENTS}/history",
    f"GET {CREDITS}/transactions",
    f"GET {CREDITS}/budget",
    "GET /api/v1/tenants/me/billing",
]
"""Routes that show what the caller's tenant has."""
ORDERING = f"POST {PAYMENTS}/create-order"
PUBLIC = f"GET {CREDITS}/packs"
CHANGING = {f"PUT {CREDITS}/budget": {"budget": 5}, f"POST {PAYMENTS}/downgrade": {"plan": "free"}}
"""Routes that change the caller's tenant and take no id of anybody's, with bodies."""
CODES = "POST /api/v1/coupons/redeem"
"""Everybody's codes: the tests of coupons have their limits."""
CHECKED = {*OF_ORDERS, *READING, *CHANGING, ORDERING, PUBLIC, CODES}
ORDER: Mapping[str, Any] = {"type": "credit_topup", "credits": 500}
UNKNOWN = ["cm_" + "0" * 16, "ORDER", "a" * 100, "cm_%23", "cm_x_r2"]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


async def ask(person: SignedIn, route: str, body: Any = None) -> Reply:
    method, path = route.split(" ")
    return await person.call(method, path, body)


def content(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def without_id(reply: Reply) -> tuple[int, object]:
    return reply.status, {name: value for name, value in reply.error.items() if name != "request_id"}


@pytest_asyncio.fixture
async def owner(paying_product: WholeProduct) -> SignedIn:
    """The owner of a new tenant."""
    return await new_tenant(paying_product)


@pytest_asyncio.fixture
async def stranger(paying_product: WholeProduct) -> SignedIn:
    """The owner of another one."""
    return await new_tenant(paying_product)


def test_every_route_has_its_check() -> None:
    assert {name_of(route) for route in SERVED} == CHECKED


async def test_packs_are_shown_to_everybody(paying_product: WholeProduct) -> None:
    method, path = PUBLIC.split(" ")

    reply = await paying_product.through_api_gateway(Sent(method, path))

    assert [pack["credits"] for pack in content(reply)["packs"]] == [100, 500, 1000, 5000]


@pytest.mark.parametrize("route", OF_ORDERS)
async def test_order_of_another_tenant_reads_like_none(owner: SignedIn, stranger: SignedIn, route: str) -> None:
    order = content(await ask(owner, ORDERING, ORDER))["order_id"]

    foreign = await ask(stranger, route, {"order_id": order})

    assert without_id(foreign)[0] == 404
    for unknown in UNKNOWN:
        assert without_id(await ask(stranger, route, {"order_id": unknown})) == without_id(foreign)
    assert content(await ask(owner, f"POST {PAYMENTS}/verify", {"order_id": order}))["status"] == "pending"


async def test_what_a_tenant_bought_is_shown_to_itself_alone(
    owner: SignedIn, stranger: SignedIn, gateway: Any, paying_product: WholeProduct
) -> None:
    before = [content(await ask(stranger, route)) for route in READING]
    order = content(await ask(owner, ORDERING, ORDER))["order_id"]
    gateway.act(order, "pay")
    [callback] = gateway.take()
    headers = tuple(callback.headers.items())
    sent = Sent("POST", f"{PAYMENTS}/webhook", headers, callback.body)
    assert (await paying_product.through_api_gateway(sent)).status == 200

    settled = content(await ask(owner, f"POST {PAYMENTS}/verify", {"order_id": order}))

    assert settled == {"status": "paid", "plan": "topup_510"}
    balance, [bought] = [content(await ask(owner, route)) for route in READING[:2]]
    assert balance["balance"] == 510
    assert (bought["order_id"], bought["status"]) == (order, "paid")
    assert [content(await ask(stranger, route)) for route in READING] == before


@pytest.mark.parametrize("route", CHANGING)
async def test_change_is_its_own_tenants_alone(owner: SignedIn, stranger: SignedIn, route: str) -> None:
    before = [content(await ask(stranger, reading)) for reading in READING]

    changed = await ask(owner, route, CHANGING[route])

    assert changed.status < 500
    assert [content(await ask(stranger, reading)) for reading in READING] == before


async def test_order_leaves_an_event_in_its_tenants_audit_log(owner: SignedIn, paying_product: WholeProduct) -> None:
    order = content(await ask(owner, ORDERING, ORDER))["order_id"]

    found = [item async for item in paying_product.database.scan(AUDIT) if item.get("tenant") == owner.tenant]

    assert [(item["action"], item["resource_id"]) for item in found] == [("payment.order", order)]


async def test_agent_reads_and_buys_nothing(owner: SignedIn) -> None:
    agent = await new_member(owner, Role.AGENT)

    assert [(await ask(agent, route)).status for route in READING] == [200] * len(READING)
    assert (await ask(agent, ORDERING, ORDER)).status == 403
    assert (await ask(agent, f"POST {PAYMENTS}/retry", {"order_id": UNKNOWN[0]})).status == 403
    assert (await ask(agent, f"POST {PAYMENTS}/verify", {"order_id": UNKNOWN[0]})).status == 404


async def test_repeated_order_with_one_idempotency_key_is_one_order(owner: SignedIn) -> None:
    first, again = [
        await owner.call("POST", f"{PAYMENTS}/create-order", ORDER, headers={"Idempotency-Key": "pack"})
        for _ in range(2)
    ]

    assert first.body == again.body
    assert len(content(await ask(owner, f"GET {PAYMENTS}/history"))) == 1
