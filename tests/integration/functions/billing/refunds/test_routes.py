"""The operators' route of refunds, through the gateway."""

import json
from typing import Any

import pytest

from local.fakes.cashfree.fake import FakeCashfree
from tests.support.operators import Operator
from tests.support.people import SignedIn, new_tenant
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
    ("body", "status"),
    [
        ({"refund_id": "t"}, 422),
        ({"reason": REASON}, 422),
        ({"refund_id": "a b", "reason": REASON}, 422),
        ({"refund_id": "t", "reason": REASON, "amount": "1.001"}, 422),
        ({"refund_id": "t", "reason": REASON, "amount": "-1"}, 422),
        ({"refund_id": "t", "reason": REASON, "amount": "NaN"}, 422),
        ({"refund_id": "t", "reason": REASON, "amount": 1.5}, 422),
        ({"refund_id": "t", "reason": REASON, "amount": "0"}, 400),
        ({"refund_id": "t", "reason": REASON, "amount": "99.01"}, 400),
    ],
)
async def test_bad_input_is_refused(
    paying_product: WholeProduct, gateway: FakeCashfree, body: dict[str, Any], status: int
) -> None:
    made = await order(await new_tenant(paying_product), gateway)
    assert (await refund(paying_product, made, body)).status == status


async def test_only_operators_refund(paying_product: WholeProduct, gateway: FakeCashfree) -> None:
    owner = await new_tenant(paying_product)
    made, body = await order(owner, gateway, paid=False), {"refund_id": "t", "reason": REASON}

    assert (await owner.call("POST", f"/api/v1/admin/payments/{made}/refund", body)).status in (403, 404)
    assert (await refund(paying_product, "cm_0", body)).status == 404
    unpaid = await refund(paying_product, made, body)
    assert (unpaid.status, unpaid.error["code"]) == (400, "order_not_paid")
