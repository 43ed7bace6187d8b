"""Cashfree Payments by its REST API, version 2025-01-01.

https://www.cashfree.com/docs/api-reference/payments/latest/overview. A repeated request has the same
`x-idempotency-key`, so that it does nothing twice: the gateway repeats its answer, or says 422 where the body is not
the same. Without the key it would say 409, as ids of orders and refunds are ours.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.http.client import SafeClient, SendError
from callmissed.money import Paise, rupees
from functions.billing.payments.cashfree_answers import parsed, payments_of, refund_of, refunds_of, session_of
from functions.billing.payments.gateway import (
    Customer,
    GatewayPayment,
    GatewayRefund,
    GatewayRefused,
    GatewayUnavailable,
    PaymentSession,
)
from functions.billing.payments.records import gateway_key

APP_ID, SECRET_KEY, ENVIRONMENT = "CASHFREE_APP_ID", "CASHFREE_SECRET_KEY", "CASHFREE_ENVIRONMENT"
API_VERSION = "2025-01-01"
PRODUCTION, SANDBOX = "production", "sandbox"
_HOSTS = {PRODUCTION: "https://api.cashfree.com/pg", SANDBOX: "https://sandbox.cashfree.com/pg"}
_TIMEOUT_SECONDS = 8
_MAX_ANSWER = 512 * 1024
_MIN_TEXT, _MAX_TEXT, _MAX_URL = 3, 100, 250
_EXISTS, _UNKNOWN = (409, 422), 404
_NO_PHONE = "9999999999"
"""The gateway wants ten digits, of people who give us none or have a number abroad too; it takes made up ones."""

_INDIAN_NUMBER = re.compile(r"(?:\+91)?([0-9]{10})")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class CashfreeAccount:
    """The platform's account, and the URL of the API."""

    app_id: str
    secret_key: str
    environment: str
    url: str

    @classmethod
    def of(cls, secrets: Mapping[str, str], url: str = "") -> "CashfreeAccount | None":
        """The account that `secrets` name, at `url` in the place of Cashfree's own; None without one."""
        app_id, secret_key = secrets.get(APP_ID, ""), secrets.get(SECRET_KEY, "")
        environment = secrets.get(ENVIRONMENT) or SANDBOX
        if not app_id or not secret_key or environment not in _HOSTS:
            return None
        return cls(app_id, secret_key, environment, url or _HOSTS[environment])


class Cashfree:
    """The gateway of the platform's account, which `account` finds anew for each call.

    Raises ApiError 503 while there is no account, and GatewayError.
    """

    def __init__(
        self,
        client: SafeClient,
        account: Callable[[], CashfreeAccount | None],
        *,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._client = client
        self._find_account = account
        self._timeout_seconds = timeout_seconds

    @property
    def environment(self) -> str:
        """`production` or `sandbox`."""
        return self._account.environment

    async def create_order(
        self, gateway_order: str, amount: Paise, currency: str, customer: Customer, *, expires: Micros, return_url: str
    ) -> PaymentSession:
        """See PaymentGateway."""
        wanted: dict[str, Any] = {
            "order_id": gateway_order,
            "order_amount": rupees(amount),
            "order_currency": currency,
            "order_expiry_time": iso(expires),
            "customer_details": _details(customer),
        }
        if return_url and len(return_url) <= _MAX_URL:
            wanted["order_meta"] = {"return_url": return_url}
        status, found = await self._call("POST", "/orders", gateway_order, wanted)
        if status in _EXISTS:  # an earlier try made it
            status, found = await self._call("GET", _order(gateway_order))
        return session_of(_used(status, found), amount, currency)

    async def payments(self, gateway_order: str) -> list[GatewayPayment]:
        """See PaymentGateway."""
        status, found = await self._call("GET", f"{_order(gateway_order)}/payments")
        return [] if status == _UNKNOWN else payments_of(_used(status, found), gateway_order)

    async def refund(
        self, gateway_order: str, refund_id: str, amount: Paise, note: str, *, refused: int = 0
    ) -> GatewayRefund:
        """See PaymentGateway. The gateway repeats a refusal to who has the same key, so each refusal has its own."""
        wanted: dict[str, Any] = {"refund_id": refund_id, "refund_amount": rupees(amount)}
        if len(note) >= _MIN_TEXT:
            wanted["refund_note"] = note[:_MAX_TEXT]
        name = f"{refund_id} {refused}" if refused else refund_id
        status, found = await self._call("POST", f"{_order(gateway_order)}/refunds", name, wanted)
        if 400 <= status < 500 and (earlier := await self.find_refund(gateway_order, refund_id)):
            return earlier
        return refund_of(_used(status, found))

    async def find_refund(self, gateway_order: str, refund_id: str) -> GatewayRefund | None:
        """See PaymentGateway."""
        status, found = await self._call("GET", f"{_order(gateway_order)}/refunds/{quote(refund_id)}")
        return None if status == _UNKNOWN else refund_of(_used(status, found))

    async def refunds(self, gateway_order: str) -> list[GatewayRefund]:
        """See PaymentGateway."""
        status, found = await self._call("GET", f"{_order(gateway_order)}/refunds")
        return [] if status == _UNKNOWN else refunds_of(_used(status, found))

    async def _call(self, method: str, path: str, name: str = "", body: Mapping[str, Any] | None = None) -> Any:
        """Status and content of the gateway's answer. Raises GatewayUnavailable without one that can be read."""
        account = self._account
        headers = {
            "x-client-id": account.app_id,
            "x-client-secret": account.secret_key,
            "x-api-version": API_VERSION,
            "Accept": "application/json",
        }
        if body is not None:
            headers |= {"Content-Type": "application/json", "x-idempotency-key": gateway_key(name)}
        content = None if body is None else json.dumps(body).encode()
        try:
            answer = await self._client.send(
                method,
                account.url + path,
                headers=headers,
                body=content,
                timeout_seconds=self._timeout_seconds,
                max_bytes=_MAX_ANSWER,
            )
        except SendError as error:
            raise GatewayUnavailable("the gateway did not answer") from error
        if answer.status >= 500 or answer.status in (408, 429) or answer.truncated:
            raise GatewayUnavailable(f"the gateway answered {answer.status}")
        return answer.status, parsed(answer.body)

    @property
    def _account(self) -> CashfreeAccount:
        account = self._find_account()
        if account is None:
            raise ApiError(503, "payments_not_configured", "This platform takes no payments: it has no gateway.")
        return account


def _order(gateway_order: str) -> str:
    return f"/orders/{quote(gateway_order)}"


def _used(status: int, found: Any) -> Any:
    if not 200 <= status < 300:
        raise GatewayRefused(f"the gateway refused with {status}")
    return found


def _details(customer: Customer) -> dict[str, str]:
    """Who pays, within the gateway's limits: what does not fit is left out, but for the number that it insists on."""
    known = {"customer_name": customer.name, "customer_email": customer.email}
    number = _INDIAN_NUMBER.fullmatch(customer.phone)
    return {
        "customer_id": _NOT_ALPHANUMERIC.sub("", customer.customer_id),
        "customer_phone": number[1] if number else _NO_PHONE,
        **{name: text for name, text in known.items() if _MIN_TEXT <= len(text) <= _MAX_TEXT},
    }
