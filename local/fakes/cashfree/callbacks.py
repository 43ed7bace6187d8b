"""Callbacks to the business, signed as Cashfree signs them, and sent on time, late, twice or out of order.

https://www.cashfree.com/docs/api-reference/payments/latest/payments/webhooks
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from local.fakes.cashfree.limits import JsonObject
from local.fakes.cashfree.state import FakeOrder, FakePayment, FakeRefund, error_details, now_text

_TRIES = 5
_RETRY_SECONDS = 0.5
_TYPES = {"SUCCESS": "PAYMENT_SUCCESS_WEBHOOK", "FAILED": "PAYMENT_FAILED_WEBHOOK"}


@dataclass(frozen=True, slots=True)
class CallbackTiming:
    """How callbacks go out: after `delay_seconds`, `copies` times, in any order if `shuffled`, or never."""

    delay_seconds: float = 0.0
    copies: int = 1
    shuffled: bool = False
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class GatewayCallback:
    """A callback as it goes over the wire."""

    body: bytes
    headers: dict[str, str]


def payment_event(order: FakeOrder, payment: FakePayment) -> JsonObject:
    """A payment succeeded, failed or was abandoned."""
    data = {
        "order": {
            "order_id": order.order_id,
            "order_amount": order.amount,
            "order_currency": order.currency,
            "order_tags": None,
        },
        "payment": payment.json,
        "customer_details": order.customer,
        "payment_gateway_details": {"gateway_name": "CASHFREE", "gateway_payment_id": payment.payment_id},
        "payment_offers": None,
    }
    if payment.status != "SUCCESS":
        data["error_details"] = error_details(payment.status)
    kind = _TYPES.get(payment.status, "PAYMENT_USER_DROPPED_WEBHOOK")
    return {"type": kind, "event_time": now_text(), "data": data}


def refund_event(refund: FakeRefund) -> JsonObject:
    """A refund was decided. The gateway's own ids are numbers here."""
    numbers = {"cf_refund_id": int(refund.reference), "cf_payment_id": int(refund.payment_id)}
    more = {"requested_speed": "STANDARD", "processed_speed": "STANDARD", "service_charge": 0.0, "service_tax": 0.0}
    content = {**refund.json, **numbers, "entity": "Refund", **more}
    return {"type": "REFUND_STATUS_WEBHOOK", "event_time": now_text(), "data": {"refund": content}}


def auto_refund_event(refund: FakeRefund) -> JsonObject:
    """The gateway has returned a payment by itself: the refund has its number, and none of the merchant's ids."""
    content: JsonObject = {
        name: value for name, value in refund.json.items() if name not in ("refund_id", "refund_note")
    }
    content |= {
        "event": "AUTO-REFUND",
        "cf_refund_id": int(refund.reference),
        "cf_payment_id": refund.payment_id,
        "bank_reference": f"bank{refund.payment_id}",
        "refund_reason": refund.note,
        "refund_charge": 0,
    }
    return {"type": "AUTO_REFUND_STATUS_WEBHOOK", "event_time": now_text(), "data": {"auto_refund": content}}


def dispute_event(order: FakeOrder, payment: FakePayment, kind: str, status: str, moment: str) -> JsonObject:
    """A bank took a buyer's side, for now (DISPUTE_CREATED) or in the end (DISPUTE_CLOSED)."""
    dispute = {
        "dispute_id": f"9{payment.payment_id}",
        "dispute_type": status.partition("_MERCHANT_")[0].removesuffix("_CREATED"),
        "reason_code": "1402",
        "reason_description": "Simulated",
        "dispute_amount": payment.amount,
        "dispute_amount_currency": payment.currency,
        "created_at": moment,
        "updated_at": moment,
        "respond_by": moment,
        "dispute_status": status,
        "cf_dispute_remarks": "Simulated",
        "dispute_action_on": "MERCHANT",
    }
    details = {
        "order_id": order.order_id,
        "order_amount": order.amount,
        "order_currency": order.currency,
        "cf_payment_id": int(payment.payment_id),
        "payment_amount": payment.amount,
        "payment_currency": payment.currency,
    }
    people = {f"customer_{name}": order.customer.get(f"customer_{name}") for name in ("name", "phone", "email")}
    data = {"dispute": dispute, "order_details": details, "customer_details": people}
    return {"type": kind, "event_time": now_text(), "data": data}


def trial_event() -> JsonObject:
    """The event with which the dashboard tries a URL."""
    return {"type": "WEBHOOK", "event_time": now_text(), "data": {"test_object": {"test_key": "test_value"}}}


def signed(event: JsonObject, secret_key: str) -> GatewayCallback:
    """The callback of `event`, signed now."""
    body = json.dumps(event).encode()
    stamp = str(int(time.time() * 1000))
    digest = hmac.digest(secret_key.encode(), stamp.encode() + body, "sha256")
    headers = {
        "Content-Type": "application/json",
        "x-webhook-signature": base64.b64encode(digest).decode(),
        "x-webhook-timestamp": stamp,
        "x-webhook-version": "2025-01-01",
        "x-webhook-attempt": "1",
        "x-idempotency-key": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    return GatewayCallback(body, headers)


class GatewayCallbacks:
    """Sends callbacks to `url`; without one they are kept for `take`."""

    def __init__(self, url: str, secret_key: str) -> None:
        self.timing = CallbackTiming()
        self._url = url
        self._secret_key = secret_key
        self._kept: list[GatewayCallback] = []
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, *events: JsonObject) -> None:
        """Send `events` in the background, as `timing` says. Call it in the stand-in's loop."""
        timing = self.timing
        if timing.withheld:
            return
        wanted = [event for event in events for _ in range(timing.copies)]
        if timing.shuffled:
            random.shuffle(wanted)
        task = asyncio.ensure_future(self._send(wanted, timing.delay_seconds))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def take(self) -> list[GatewayCallback]:
        """The callbacks since the last call, where there is no URL."""
        taken, self._kept = self._kept, []
        return taken

    async def idle(self) -> None:
        """Wait until all are sent, or given up."""
        while self._sending:
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def stop(self) -> None:
        """Give up what is not sent."""
        for task in self._sending:
            task.cancel()
        await self.idle()

    async def _send(self, events: Sequence[JsonObject], delay_seconds: float) -> None:
        await asyncio.sleep(delay_seconds)
        for event in events:
            callback = signed(event, self._secret_key)
            if self._url:
                await self._post(callback)
            else:
                self._kept.append(callback)

    async def _post(self, callback: GatewayCallback) -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(_TRIES):
                try:
                    async with session.post(self._url, data=callback.body, headers=callback.headers) as answer:
                        if answer.status < 500:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(_RETRY_SECONDS)
