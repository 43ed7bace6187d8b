"""Callbacks of Cashfree Payments.

https://www.cashfree.com/docs/api-reference/payments/latest/payments/webhooks: the header `x-webhook-signature` is
base64 of the HMAC-SHA256 of `x-webhook-timestamp` and the body under the account's secret. The account is the
platform's, which sells credits; the worker finds the payment's tenant by the purchase order.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from callmissed.clock import MINUTE, SECOND
from callmissed.integrations.callbacks import PLATFORM
from callmissed.observability import get_logger
from callmissed.platform.queues.sources import CASHFREE_CALLBACK
from functions.webhooks.callbacks.receive import Callback, CallbackItem, invalid_signature

SECRET = "CASHFREE_SECRET_KEY"  # noqa: S105  the name of it
_MAX_AGE = 24 * 60 * MINUTE
_MAX_SKEW = 5 * MINUTE
_ACCOUNT = "@cashfree"
_MILLISECONDS_FROM = 10**11
_logger = get_logger("callbacks")


class CashfreeCallbacks:
    """Verifies callbacks of Cashfree. `secret` finds the account's secret, empty if there is none.

    A signature that does not fit may be under a secret that was rotated just now, so `secret` is asked for the newest.
    """

    def __init__(self, secret: Callable[[bool], str]) -> None:
        self._secret = secret

    async def verify(self, callback: Callback) -> list[CallbackItem]:
        """See `receive.Verify`.

        A timestamp may be a day old, because retries may repeat it. The payment's id and state identify a repeated
        callback for the 30 days that the outbox keeps it: `PAYMENT_SUCCESS_WEBHOOK` may first come as PENDING.
        """
        if not _timely(callback) or not any(_signed(self._secret(newest), callback) for newest in (False, True)):
            raise invalid_signature()
        text = callback.body.decode(errors="surrogateescape")
        return [CallbackItem(PLATFORM, CASHFREE_CALLBACK, _ACCOUNT, _own_id(callback.body), text)]


def _signed(secret: str, callback: Callback) -> bool:
    if not secret:
        _logger.error(f"no {SECRET}: callbacks of Cashfree are refused")
        return False
    if callback.body[:1].isdigit():
        return False  # it may be a digit of the timestamp: the signed text has no separator between the two
    stamp = callback.headers.get("x-webhook-timestamp", "").encode()
    expected = base64.b64encode(hmac.digest(secret.encode(), stamp + callback.body, "sha256"))
    return hmac.compare_digest(expected, callback.headers.get("x-webhook-signature", "").encode())


def _timely(callback: Callback) -> bool:
    stamp = callback.headers.get("x-webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 20):
        return False
    unit = SECOND // 1000 if int(stamp) >= _MILLISECONDS_FROM else SECOND
    return -_MAX_AGE <= int(stamp) * unit - callback.received <= _MAX_SKEW


def _own_id(body: bytes) -> str:
    """Type, payment and its state, else the content's digest. Not `x-idempotency-key`, which is not signed."""
    try:
        content: Any = json.loads(body)
        payment: Any = content["data"]["payment"]
        names = [content["type"], payment["cf_payment_id"], payment["payment_status"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        names = []
    if names and all(name and type(name) in (str, int) for name in names):
        return "\0".join(map(str, names))
    return hashlib.sha256(body).hexdigest()
