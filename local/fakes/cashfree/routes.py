"""The REST API: orders, their payments, refunds. https://www.cashfree.com/docs/api-reference/payments/latest/overview"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from local.fakes.cashfree.callbacks import GatewayCallbacks, refund_event
from local.fakes.cashfree.limits import JsonObject, check_refund
from local.fakes.cashfree.state import CashfreeState, FakeOrder, FakeRefund, GatewayFaultKind

API = "/pg"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiRoutes:
    """Answers the platform."""

    def __init__(self, state: CashfreeState, callbacks: GatewayCallbacks) -> None:
        self._state = state
        self._callbacks = callbacks

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        for method, path, handler in (
            ("POST", "/orders", self._create),
            ("GET", "/orders/{order_id}", self._get),
            ("GET", "/orders/{order_id}/payments", self._payments),
            ("POST", "/orders/{order_id}/refunds", self._refund),
            ("GET", "/orders/{order_id}/refunds", self._refunds),
            ("GET", "/orders/{order_id}/refunds/{refund_id}", self._get_refund),
        ):
            app.router.add_route(method, API + path, self._guarded(handler))

    def _guarded(self, handler: _Handler) -> _Handler:
        """Check the account, and fail where a fault says so."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            credentials = (request.headers.get("x-client-id"), request.headers.get("x-client-secret"))
            if credentials != (self._state.app_id, self._state.secret_key):
                return _error(401, "authentication_error", "authentication Failed")
            if not request.headers.get("x-api-version"):
                return _error(400, "invalid_request_error", "x-api-version is missing")
            fault = self._state.fault_of(f"{request.method} {request.path}")
            if fault and fault.kind is GatewayFaultKind.DOWN:
                return _error(503, "api_error", "try again")
            if fault and fault.kind is GatewayFaultKind.LIMITED:
                return _error(429, "rate_limit_error", "Too many requests from IP. Check headers")
            if fault and fault.kind is GatewayFaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
            answer = await self._repeatable(request, handler)
            return _broken(request, answer, fault.kind) if fault else answer

        return guarded

    async def _repeatable(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """The answer, which is kept for whoever asks again with the same key: also one that refused."""
        key = request.headers.get("x-idempotency-key", "")
        if request.method != "POST" or not key:
            return await handler(request)
        wanted = await request.json()
        if key not in self._state.answers:
            answer = await handler(request)
            text = str(answer.text) if isinstance(answer, web.Response) else ""
            self._state.answers[key] = (wanted, answer.status, text)
            return answer
        body, status, text = self._state.answers[key]
        if body != wanted:
            return _error(422, "idempotency_error", "another body with the same key", "request_invalid")
        headers = {"x-idempotency-replayed": "true"}
        return web.json_response(text=text, status=status, headers=headers)

    async def _create(self, request: web.Request) -> web.Response:
        wanted: JsonObject = await request.json()
        with self._state.lock:
            if wanted.get("order_id") in self._state.orders:
                return _error(
                    409, "invalid_request_error", "order with same id is already present", "order_already_exists"
                )
            try:
                return web.json_response(self._state.add_order(wanted).json)
            except (KeyError, TypeError, ValueError) as error:
                return _error(400, "invalid_request_error", f"{error} is missing or invalid")

    async def _get(self, request: web.Request) -> web.Response:
        order = self._order(request)
        return web.json_response(order.json) if order else _unknown()

    async def _payments(self, request: web.Request) -> web.Response:
        order = self._order(request)
        return web.json_response([payment.entity for payment in order.payments]) if order else _unknown()

    async def _refund(self, request: web.Request) -> web.Response:
        order, wanted = self._order(request), await request.json()
        if order is None:
            return _unknown()
        try:
            check_refund(wanted)
        except (KeyError, TypeError, ValueError) as error:
            return _error(400, "invalid_request_error", f"{error} is missing or invalid")
        with self._state.lock:
            if wanted["refund_id"] in order.refunds:
                return _error(409, "invalid_request_error", "refund with same id is already present")
            if wanted["refund_amount"] > order.paid - order.refunded + 0.001:
                return _error(400, "invalid_request_error", "refund amount exceeds what was paid")
            refund = FakeRefund(
                refund_id=str(wanted["refund_id"]),
                order_id=order.order_id,
                payment_id=next(each.payment_id for each in reversed(order.payments) if each.status == "SUCCESS"),
                amount=float(wanted["refund_amount"]),
                note=str(wanted.get("refund_note", "")),
                status=order.refund_status or self._state.refund_status,
                reference=self._state.number(),
            )
            order.refunds[refund.refund_id] = refund
        if refund.status != "PENDING":
            self._callbacks.send(refund_event(refund))
        return web.json_response(refund.entity)

    async def _refunds(self, request: web.Request) -> web.Response:
        order = self._order(request)
        return web.json_response([each.entity for each in order.refunds.values()]) if order else _unknown()

    async def _get_refund(self, request: web.Request) -> web.Response:
        order = self._order(request)
        refund = order.refunds.get(request.match_info["refund_id"]) if order else None
        return web.json_response(refund.entity) if refund else _unknown()

    def _order(self, request: web.Request) -> FakeOrder | None:
        return self._state.orders.get(request.match_info["order_id"])


def _error(status: int, kind: str, message: str, code: str = "request_failed") -> web.Response:
    headers = {"x-ratelimit-retry": "4" if status == 429 else "0", "x-ratelimit-type": "app_id"}
    return web.json_response({"message": message, "code": code, "type": kind}, status=status, headers=headers)


def _unknown() -> web.Response:
    return _error(404, "invalid_request_error", "not found")


def _broken(request: web.Request, answer: web.StreamResponse, kind: GatewayFaultKind) -> web.StreamResponse:
    """What the caller gets of an answer whose work is done."""
    if kind is GatewayFaultKind.LOST and request.transport:
        request.transport.close()
    if kind is GatewayFaultKind.GARBLED:
        return web.Response(text="<html>upstream error</html>", content_type="text/html")
    if kind is GatewayFaultKind.WRONG_AMOUNT and isinstance(answer, web.Response) and answer.text:
        content: Any = json.loads(answer.text)
        parts: list[JsonObject] = content if request.path.endswith("/payments") else [content]
        for part in parts:
            for name in ("order_amount", "payment_amount"):
                if name in part:
                    part[name] = 1.0
        return web.json_response(content)
    return answer
