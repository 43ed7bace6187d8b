"""What Cashfree takes in a request, as its API reference says: lengths, characters and times of fields.

https://www.cashfree.com/docs/api-reference/payments/latest/orders/create
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

JsonObject = dict[str, Any]

INDIA = timezone(timedelta(hours=5, minutes=30))
_ORDER_ID = re.compile(r"[0-9A-Za-z_-]{3,45}")
_REFUND_ID = re.compile(r"[0-9A-Za-z_-]{3,40}")
_CUSTOMER_ID = re.compile(r"[0-9A-Za-z]{3,50}")
_PHONE = re.compile(r"[0-9]{10}")
_TEXT = re.compile(r".{3,100}", re.DOTALL)
_MAX_URL = 250
_MIN_EXPIRY, _MAX_EXPIRY = 15 * 60, 30 * 24 * 60 * 60


def check_order(wanted: Mapping[str, Any], now: float) -> None:
    """Raises KeyError, TypeError and ValueError, which name the field."""
    customer = wanted["customer_details"]
    _fits(_ORDER_ID, wanted, "order_id")
    _fits(_CUSTOMER_ID, customer, "customer_id")
    _fits(_PHONE, customer, "customer_phone")
    for name in ("customer_name", "customer_email"):
        if customer.get(name) is not None:
            _fits(_TEXT, customer, name)
    if not float(wanted["order_amount"]) >= 1:
        raise ValueError("order_amount")
    meta: Mapping[str, str] = wanted.get("order_meta") or {}
    if len(meta.get("return_url", "")) > _MAX_URL:
        raise ValueError("return_url")
    expires = datetime.fromisoformat(wanted["order_expiry_time"]).timestamp() - now
    if not _MIN_EXPIRY < expires < _MAX_EXPIRY:
        raise ValueError("order_expiry_time")


def check_refund(wanted: Mapping[str, Any]) -> None:
    """Raises KeyError, TypeError and ValueError, which name the field."""
    _fits(_REFUND_ID, wanted, "refund_id")
    if wanted.get("refund_note") is not None:
        _fits(_TEXT, wanted, "refund_note")
    if not float(wanted["refund_amount"]) > 0:
        raise ValueError("refund_amount")


def _fits(pattern: re.Pattern[str], values: Mapping[str, Any], name: str) -> None:
    if not pattern.fullmatch(values[name]):
        raise ValueError(name)
