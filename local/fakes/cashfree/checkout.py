"""The checkout: what a buyer, a bank or the merchant's dashboard does with an order."""

from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from jinja2 import Environment

from local.fakes.cashfree.callbacks import (
    CallbackTiming,
    GatewayCallbacks,
    auto_refund_event,
    dispute_event,
    payment_event,
    refund_event,
)
from local.fakes.cashfree.limits import JsonObject
from local.fakes.cashfree.state import CashfreeState, FakeOrder, FakePayment, FakeRefund

CHECKOUT = "/checkout/"
_PAGE = Path(__file__).with_name("checkout.html")


class Checkout:
    """Acts on orders, and sends the callbacks of what happened. Call it in the stand-in's loop."""

    def __init__(self, state: CashfreeState, callbacks: GatewayCallbacks) -> None:
        self._state = state
        self._callbacks = callbacks
        self._actions: dict[str, Callable[[FakeOrder], list[JsonObject]]] = {
            "pay": lambda order: self._paid(order, "SUCCESS"),
            "fail": lambda order: self._paid(order, "FAILED"),
            "drop": lambda order: self._paid(order, "USER_DROPPED"),
            "pay_twice": lambda order: [*self._paid(order, "SUCCESS"), *self._paid(order, "SUCCESS")],
            "refund": self._refunded,
            "auto_refund": self._auto_refunded,
            "dispute": lambda order: self._disputed(order, "DISPUTE_CREATED", "CHARGEBACK_CREATED"),
            "dispute_lost": lambda order: self._disputed(order, "DISPUTE_CLOSED", "CHARGEBACK_MERCHANT_LOST"),
            "dispute_won": lambda order: self._disputed(order, "DISPUTE_CLOSED", "CHARGEBACK_MERCHANT_WON"),
            "arbitration_won": lambda order: self._disputed(order, "DISPUTE_CLOSED", "ARBITRATION_MERCHANT_WON"),
        }

    def act(self, order: FakeOrder, action: str) -> None:
        """Do `action` to the order. Raises KeyError for one that does not exist."""
        with self._state.lock:
            events = self._actions[action](order)
        self._callbacks.send(*events)

    def add_to(self, app: web.Application) -> None:
        """Add the page."""
        app.router.add_get(CHECKOUT + "{session_id}", self._show)
        app.router.add_post(CHECKOUT + "{session_id}", self._submit)

    def _paid(self, order: FakeOrder, status: str) -> list[JsonObject]:
        payment = FakePayment(self._state.number(), order.order_id, status, order.amount, order.currency)
        order.payments.append(payment)
        if status == "SUCCESS":
            order.status = "PAID"
        return [payment_event(order, payment)]

    def _refunded(self, order: FakeOrder) -> list[JsonObject]:
        paid = _last_success(order)
        if paid is None or order.paid <= order.refunded:
            return []
        number = self._state.number()
        refund = FakeRefund(
            f"dashboard_{number}", order.order_id, paid.payment_id, paid.amount, "by hand", "SUCCESS", number
        )
        order.refunds[refund.refund_id] = refund
        return [refund_event(refund)]

    def _auto_refunded(self, order: FakeOrder) -> list[JsonObject]:
        """The gateway returns the last payment by itself, as it does with a second one of the same order."""
        paid, number = _last_success(order), self._state.number()
        if paid is None:
            return []
        why, kind = "Multiple payments were performed against same order.", "PAYMENT_AUTO_REFUND"
        refund = FakeRefund(number, order.order_id, paid.payment_id, paid.amount, why, "SUCCESS", number, kind)
        order.refunds[refund.refund_id] = refund
        return [auto_refund_event(refund)]

    def _disputed(self, order: FakeOrder, kind: str, status: str) -> list[JsonObject]:
        paid = _last_success(order)
        return [dispute_event(order, paid, kind, status, self._state.later())] if paid else []

    async def _show(self, request: web.Request) -> web.Response:
        return self._page(self._found(request))

    async def _submit(self, request: web.Request) -> web.Response:
        order, form = self._found(request), await request.post()
        self._callbacks.timing = CallbackTiming(
            delay_seconds=float(str(form.get("delay") or 0)),
            copies=2 if "doubled" in form else 1,
            shuffled="shuffled" in form,
            withheld="withheld" in form,
        )
        try:
            self.act(order, str(form.get("action")))
        except KeyError:
            raise web.HTTPBadRequest(text="no such action") from None
        return self._page(order)

    def _found(self, request: web.Request) -> FakeOrder:
        order = self._state.of_session(request.match_info["session_id"])
        if order is None:
            raise web.HTTPNotFound(text="no such session")
        return order

    def _page(self, order: FakeOrder) -> web.Response:
        template = Environment(autoescape=True).from_string(_PAGE.read_text())
        return web.Response(text=template.render(order=order), content_type="text/html")


def _last_success(order: FakeOrder) -> FakePayment | None:
    return next((payment for payment in reversed(order.payments) if payment.status == "SUCCESS"), None)
