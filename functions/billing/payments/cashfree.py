"""Cashfree Payments by its REST API, version 2025-01-01.

https://www.cashfree.com/docs/api-reference/payments/latest/overview. A repeated request has the same
`x-idempotency-key`, so that it does nothing twice.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.http.client import SafeClient, SendError
from callmissed.money import Paise, rupees
from functions.billing.payments.cashfree_answers import parsed, payments_of, refund_of, session_of
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
_MAX_NOTE = 100
_EXISTS, _UNKNOWN = 409, 404


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
            "customer_details": {
                "customer_id": customer.customer_id,
                "customer_name": customer.name,
                "customer_email": customer.email,
                "customer_phone": customer.phone,
            },
        }
        if return_url:
            wanted["order_meta"] = {"return_url": return_url}
        status, found = await self._call("POST", "/orders", gateway_order, wanted)
        if status == _EXISTS:  # an earlier try made it
            status, found = await self._call("GET", _order(gateway_order))
        return session_of(_used(status, found), amount, currency)

    async def payments(self, gateway_order: str) -> list[GatewayPayment]:
        """See PaymentGateway."""
        status, found = await self._call("GET", f"{_order(gateway_order)}/payments")
        return [] if status == _UNKNOWN else payments_of(_used(status, found), gateway_order)

    async def refund(self, gateway_order: str, refund_id: str, amount: Paise, note: str) -> GatewayRefund:
        """See PaymentGateway."""
        wanted = {"refund_id": refund_id, "refund_amount": rupees(amount), "refund_note": note[:_MAX_NOTE]}
        status, found = await self._call("POST", f"{_order(gateway_order)}/refunds", refund_id, wanted)
        if status == _EXISTS and (earlier := await self.find_refund(gateway_order, refund_id)):
            return earlier
        return refund_of(_used(status, found))

    async def find_refund(self, gateway_order: str, refund_id: str) -> GatewayRefund | None:
        """See PaymentGateway."""
        status, found = await self._call("GET", f"{_order(gateway_order)}/refunds/{quote(refund_id)}")
        return None if status == _UNKNOWN else refund_of(_used(status, found))

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
