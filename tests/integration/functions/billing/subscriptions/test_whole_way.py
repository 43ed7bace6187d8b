"""A plan's order by HTTP alone: order, checkout page, signed callback, worker, and what every place shows then."""

import json
from typing import Any

import httpx2

from callmissed.clock import Micros, iso, month_end, month_of, month_start
from callmissed.keys.rates import burst
from callmissed.plans.plans import Plan
from callmissed.platform.tables import OUTBOX
from functions.billing.subscriptions.periods import period_start
from functions.billing.subscriptions.records import GRACE
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.callbacks import deliver, process, purchases_of
from tests.support.people import SignedIn, new_tenant
from tests.support.sign_in import SettableClock, settings_of
from tests.support.whole_product import Reply, Sent, WholeProduct

LIMITS = {
    "free": (0, [100, 50, 50, 50], 2, 50, 100 * 1024**2, 1, 60),
    "starter": (999, [5_000, 2_500, 2_500, 500], 5, 1_000, 1024**3, 5, 500),
    "pro": (4_999, [50_000, 25_000, 25_000, 5_000], 20, 10_000, 10 * 1024**3, 20, 3_000),
    "enterprise": (20_000, [None] * 4, None, None, None, None, 10_000),
}
"""Limits of plans, by §4.2 of the contract."""


def plan_limits(plan: str) -> dict[str, Any]:
    price, calls, members, conversations, storage, voice, rpm = LIMITS[plan]
    return {
        "monthly_price_inr": price,
        "calls": dict(zip(("llm", "stt", "tts", "image"), calls, strict=True)),
        "team_members": members,
        "conversations": conversations,
        "storage_bytes": storage,
        "voice_concurrency": voice,
        "default_rate_limit_rpm": rpm,
    }


async def content(person: SignedIn, method: str, path: str, body: Any = None) -> Any:
    reply = await person.call(method, path, body)
    assert reply.status in (200, 201), reply.body
    return json.loads(reply.body)


async def completed(product: WholeProduct, key: str) -> Reply:
    """One call of a test key, which costs nothing."""
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hello"}]}
    headers = (("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"))
    reply = await product.through_local_gateway(
        Sent("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
    )
    assert reply.status == 200, reply.body
    return reply


async def press_pay(gateway: FakeCashfree, session: str) -> None:
    """What a browser does at the checkout."""
    async with httpx2.AsyncClient() as browser:
        page = await browser.get(gateway.checkout_page + session)
        assert page.status_code == 200
        assert "999" in page.text
        assert (await browser.post(gateway.checkout_page + session, data={"action": "pay"})).status_code == 200


async def test_a_plan_is_ordered_paid_and_in_force_everywhere(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock, module_tables: StageTables
) -> None:
    product, owner = paying_product, await new_tenant(paying_product, plan=Plan.FREE)
    key = await content(owner, "POST", "/api/v1/keys", {"name": "mine", "mode": "test"})
    assert key["rate_limit_rpm"] == 60
    assert (await completed(product, key["key"])).headers["x-ratelimit-limit"] == str(burst(60))

    ordered = await content(owner, "POST", "/api/v1/payments/create-order", {"plan": "starter"})
    assert (ordered["amount"], ordered["currency"]) == (999.0, "INR")
    await press_pay(gateway, ordered["payment_session_id"])
    callbacks = gateway.take()
    assert await deliver(product, callbacks * 2) == [200, 200]
    assert (await content(owner, "GET", "/api/v1/tenants/me/billing"))["plan"] == "free"
    bought = purchases_of(product, settings_of(module_tables, cashfree_url=gateway.api_url))
    for _ in range(2):
        assert await process(product, bought) == []

    await assert_billing(owner, clock())
    (listed,) = await content(owner, "GET", "/api/v1/keys")
    assert (listed["rate_limit_rpm"], listed["rate_limit_from_plan"]) == (500, True)
    assert (await completed(product, key["key"])).headers["x-ratelimit-limit"] == str(burst(500))
    fresh = await content(owner, "POST", "/api/v1/keys", {"name": "second"})
    assert fresh["rate_limit_rpm"] == 500
    order = {"order_id": ordered["order_id"]}
    assert await content(owner, "POST", "/api/v1/payments/verify", order) == {"status": "paid", "plan": "starter"}
    await assert_history(owner, ordered["order_id"])


async def assert_billing(owner: SignedIn, now: Micros) -> None:
    """The whole answer: the contract leaves its shape open, docs/billing.md and the schema fix it."""
    month, end = month_of(now), period_start(now, 1)
    quotas = {"llm": 5_000, "stt": 2_500, "tts": 2_500, "image": 500}
    shown = await content(owner, "GET", "/api/v1/tenants/me/billing")
    assert shown["usage"].pop("team_members") == {"used": 1, "limit": 5}
    assert {service: quotas.get(service) for service in shown["usage"]} == {
        service: each["limit"] for service, each in shown["usage"].items()
    }
    assert {each["used"] for each in shown.pop("usage").values()} == {0}
    for plan, limits in shown.pop("limits").items():
        services = limits["calls"].keys()
        expected = plan_limits(plan)
        expected["calls"] = {service: expected["calls"].get(service) for service in services}
        assert limits == expected, plan
    assert shown == {
        "plan": "starter",
        "period": f"{month // 100}-{month % 100:02}",
        "period_start": iso(month_start(month)),
        "period_end": iso(month_end(month)),
        "credit_balance": 550.0,
        "spent_credits": 0.0,
        "forecast_credits": 0.0,
        "subscription": {
            "plan": "starter",
            "status": "active",
            "period_start": iso(now),
            "period_end": iso(end),
            "ends_at": iso(end),
            "lapses_at": iso(Micros(end + GRACE)),
            "is_renewed": False,
            "scheduled_plan": None,
        },
    }


async def assert_history(owner: SignedIn, order: str) -> None:
    """One order, one grant, one event."""
    (row,) = await content(owner, "GET", "/api/v1/payments/history")
    assert (row["order_id"], row["status"], row["amount"], row["plan_from"], row["plan_to"]) == (
        order,
        "paid",
        999.0,
        "free",
        "starter",
    )
    transactions = await content(owner, "GET", "/api/v1/credits/transactions")
    (grant,) = transactions["data"]
    assert (grant["type"], grant["amount"], grant["reference_id"]) == ("plan_grant", 550.0, order)
    assert grant["description"].startswith("Plan starter, period from 20")
    found = [item async for item in owner.product.database.scan(OUTBOX)]
    (event,) = [item for item in found if item.get("type") == "payment.succeeded"]
    expected = {"order_id": order, "amount": 999.0, "currency": "INR", "plan": "starter", "credits": None}
    assert json.loads(event["body"])["data"] == expected
