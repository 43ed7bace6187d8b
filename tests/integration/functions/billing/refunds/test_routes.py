"""The operators' route of refunds, through the gateway."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from callmissed.ids import new_id
from functions.billing.payments.sweep import OrderSweep
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.callbacks import purchases_of
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_tenant, sign_in
from tests.support.sign_in import SettableClock, settings_of
from tests.support.whole_product import Reply, WholeProduct

REASON = "The buyer asked"


async def order(person: SignedIn, gateway: FakeCashfree, *, paid: bool = True) -> str:
    body = {"type": "credit_topup", "credits": 100}
    made = json.loads((await person.call("POST", "/api/v1/payments/create-order", body)).body)["order_id"]
    if paid:
        gateway.act(made, "pay")
        await person.call("POST", "/api/v1/payments/verify", {"order_id": made})
    return made


async def refund(product: WholeProduct, order_id: str, body: Any) -> Reply:
    return await Operator().call(product, "POST", f"/api/v1/admin/payments/{order_id}/refund", body)


@dataclass(frozen=True)
class Refundable:
    """A paid order that no test refunds."""

    owner: SignedIn
    gateway: FakeCashfree
    order_id: str

    async def assert_untouched(self) -> None:
        (row,) = json.loads((await self.owner.call("GET", "/api/v1/payments/history")).body)
        balance = json.loads((await self.owner.call("GET", "/api/v1/credits/balance")).body)
        assert (row["status"], balance["balance"], balance["debt"]) == ("paid", 100.0, 0.0)
        assert self.gateway.order(self.order_id).refunds == {}


@pytest_asyncio.fixture
async def refundable(paying_product: WholeProduct, gateway: FakeCashfree) -> Refundable:
    owner = await new_tenant(paying_product)
    return Refundable(owner, gateway, await order(owner, gateway))


async def test_operator_refunds_a_part_and_the_rest(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product)
    made = await order(owner, gateway)

    part = {"refund_id": "ticket-1", "amount": "49.50", "reason": REASON}
    replies = [await refund(paying_product, made, part) for _ in range(2)]
    rest = await refund(paying_product, made, {"refund_id": "ticket-2", "reason": REASON})

    assert [reply.status for reply in replies] == [200, 200]
    shown = json.loads(replies[0].body)
    assert shown == json.loads(replies[1].body)
    assert shown["refund_id"].startswith("operator")
    assert (shown["status"], shown["amount"], shown["credits"]) == ("succeeded", "49.50", "50")
    assert (shown["order_status"], shown["refunded"]) == ("paid", "49.50")
    assert json.loads(rest.body)["order_status"] == "refunded"
    history = json.loads((await owner.call("GET", "/api/v1/payments/history")).body)
    assert [row["status"] for row in history] == ["refunded"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": None},
        {"reason": "  "},
        {"reason": "x" * 501},
        {"refund_id": None},
        {"refund_id": ""},
        {"refund_id": "a b"},
        {"refund_id": "r" * 101},
        {"amount": ""},
        {"amount": "1.001"},
        {"amount": "0.0000001"},
        {"amount": "49.5000000"},
        {"amount": "-1"},
        {"amount": "+1"},
        {"amount": " 1"},
        {"amount": "1e3"},
        {"amount": "NaN"},
        {"amount": "Infinity"},
        {"amount": "1" * 10},
        {"amount": "9" * 400},
        {"amount": "\u0661"},
        {"amount": 1.5},
        {"amount": True},
        {"currency": "INR"},
    ],
)
async def test_bad_input_is_refused(
    refundable: Refundable, paying_product: WholeProduct, wrong: dict[str, Any]
) -> None:
    reply = await refund(paying_product, refundable.order_id, {"refund_id": "t", "reason": REASON, **wrong})
    assert (reply.status, reply.error["code"]) == (422, "invalid_request_error"), reply.body
    await refundable.assert_untouched()


@pytest.mark.parametrize("amount", ["0", "0.00", "99.01", "100", "999999999.99"])
async def test_amount_that_was_not_paid_is_refused(
    refundable: Refundable, paying_product: WholeProduct, amount: str
) -> None:
    reply = await refund(paying_product, refundable.order_id, {"refund_id": "t", "reason": REASON, "amount": amount})
    assert (reply.status, reply.error["code"]) == (400, "refund_too_large"), reply.body
    assert "99.00" in reply.error["message"]
    await refundable.assert_untouched()


async def test_one_refund_has_one_amount_and_all_together_what_was_paid(
    paying_product: WholeProduct, gateway: FakeCashfree
) -> None:
    made = await order(await new_tenant(paying_product), gateway)

    async def asked(name: str, amount: str | None) -> tuple[int, str]:
        reply = await refund(paying_product, made, {"refund_id": name, "reason": REASON, "amount": amount})
        return reply.status, "" if reply.status == 200 else reply.error["code"]

    assert await asked("one", "90.01") == (200, "")
    assert await asked("one", "90.02") == (409, "conflict")
    assert await asked("two", "9.00") == (400, "refund_too_large")
    assert await asked("two", None) == (200, "")
    assert await asked("two", None) == (200, "")
    assert await asked("three", None) == (400, "refund_too_large")
    assert await asked("three", "0.01") == (400, "refund_too_large")
    assert round(gateway.order(made).refunded, 2) == 99.0


@pytest.mark.parametrize("state", ["pending", "failed", "expired", "coupon"])
async def test_order_without_a_payment_is_not_refunded(
    paying_product: WholeProduct, gateway: FakeCashfree, clock: SettableClock, module_tables: StageTables, state: str
) -> None:
    owner = await new_tenant(paying_product)
    if state == "coupon":
        code = {"code": new_id("C"), "credits": "5", "max_redemptions": 1, "reason": REASON}
        assert (await Operator().call(paying_product, "POST", "/api/v1/admin/coupons", code)).status == 201
        redeemed = await owner.call("POST", "/api/v1/coupons/redeem", {"code": code["code"]})
        made = json.loads(redeemed.body)["order_id"]
    else:
        made = await order(owner, gateway, paid=False)
    if state == "failed":
        gateway.act(made, "fail")
        await owner.call("POST", "/api/v1/payments/verify", {"order_id": made})
    if state == "expired":
        bought = purchases_of(paying_product, settings_of(module_tables, cashfree_url=gateway.api_url))
        clock.pass_seconds(31 * 60)
        await OrderSweep(bought.orders, bought.payments, clock).run(clock())
        owner = await sign_in(paying_product, owner.user)
    (row,) = json.loads((await owner.call("GET", "/api/v1/payments/history")).body)
    assert row["status"] == ("paid" if state == "coupon" else state)

    for amount in (None, "0.01"):
        reply = await refund(paying_product, made, {"refund_id": "t", "reason": REASON, "amount": amount})
        code = "refund_too_large" if state == "coupon" else "order_not_paid"
        assert (reply.status, reply.error["code"]) == (400, code), reply.body


@pytest.mark.parametrize("unknown", ["cm_0000000000000000", "cm_0", "ORDER", "a" * 300, "%23", "tnt_1"])
async def test_unknown_order_is_404(paying_product: WholeProduct, unknown: str) -> None:
    reply = await refund(paying_product, unknown, {"refund_id": "t", "reason": REASON})
    assert (reply.status, reply.error["code"]) == (404, "not_found")


async def test_refund_waits_for_a_gateway_that_does_not_answer(
    paying_product: WholeProduct, gateway: FakeCashfree
) -> None:
    made = await order(await new_tenant(paying_product), gateway)
    body = {"refund_id": "t", "reason": REASON}
    gateway.fault("down", "/refunds", times=9)
    waiting = await refund(paying_product, made, body)
    gateway.state.faults.clear()

    decided = await refund(paying_product, made, body)

    assert [json.loads(reply.body)["status"] for reply in (waiting, decided)] == ["pending", "succeeded"]
    assert json.loads(decided.body)["order_status"] == "refunded"


async def test_only_operators_refund(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product)
    made, body = await order(owner, gateway, paid=False), {"refund_id": "t", "reason": REASON}

    assert (await owner.call("POST", f"/api/v1/admin/payments/{made}/refund", body)).status in (403, 404)
    assert (await refund(paying_product, "cm_0", body)).status == 404
    unpaid = await refund(paying_product, made, body)
    assert (unpaid.status, unpaid.error["code"]) == (400, "order_not_paid")
