"""The smoke test of payments: a pack that is ordered, paid at the stand-in for the gateway, and credited."""

import asyncio
import json
import time
from typing import Any

from local.fakes.cashfree.callbacks import GatewayCallback
from local.fakes.cashfree.fake import FakeCashfree
from rehearsal.errors import SmokeError
from rehearsal.smoke.people import ApiCalls, sign_in

_CREDITS, _PAYMENTS = "/api/v1/credits", "/api/v1/payments"
_WAIT_SECONDS = 45.0


async def buy_credits(caller: ApiCalls, cashfree: FakeCashfree) -> str:
    """Buy a pack, and pay another one whose callback never comes; returns the latter's order. Raises SmokeError."""
    packs = json.loads(await caller.call("GET", f"{_CREDITS}/packs"))["packs"]
    own = await sign_in(caller)
    before = await _credits(caller, own)
    order = await _order(caller, own, packs[0]["credits"])
    cashfree.act(order, "pay")
    for callback in cashfree.take():
        await _deliver(caller, callback)
    await _wait_for(caller, own, before + packs[0]["total"])
    await caller.call("POST", f"{_PAYMENTS}/verify", {"order_id": order}, headers=own)
    missed = await _order(caller, own, packs[1]["credits"])
    await caller.call("POST", f"{_PAYMENTS}/retry", {"order_id": missed}, headers=own)
    cashfree.timing(withheld=True)
    cashfree.act(missed, "pay")
    return missed


async def check_credited(caller: ApiCalls, order: str) -> None:
    """Raise SmokeError unless the order is paid: the sweep asked the gateway."""
    history = json.loads(await caller.call("GET", f"{_PAYMENTS}/history", headers=await sign_in(caller)))
    states = {each["order_id"]: each["status"] for each in history}
    if states.get(order) != "paid":
        raise SmokeError(f"the sweep has not settled an order: {states}")


async def _order(caller: ApiCalls, own: dict[str, str], credits: int) -> str:
    wanted = {"type": "credit_topup", "credits": credits}
    keyed = {**own, "Idempotency-Key": f"pack-{credits}"}
    return json.loads(await caller.call("POST", f"{_PAYMENTS}/create-order", wanted, headers=keyed))["order_id"]


async def _deliver(caller: ApiCalls, callback: GatewayCallback) -> None:
    """A callback as the gateway sends it, first with another's signature."""
    forged = {**callback.headers, "x-webhook-signature": "AAAA"}
    await caller.call("POST", f"{_PAYMENTS}/webhook", callback.body, headers=forged, expected=401)
    await caller.call("POST", f"{_PAYMENTS}/webhook", callback.body, headers=callback.headers)


async def _wait_for(caller: ApiCalls, own: dict[str, str], credits: float) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while (found := await _credits(caller, own)) != credits:
        if time.monotonic() > deadline:
            raise SmokeError(f"the tenant has {found} credits instead of {credits}")
        await asyncio.sleep(0.2)


async def _credits(caller: ApiCalls, own: dict[str, str]) -> float:
    answer: Any = json.loads(await caller.call("GET", f"{_CREDITS}/balance", headers=own))
    return answer["balance"]
