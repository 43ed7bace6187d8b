"""Refusals of refunds."""

from callmissed.errors import ApiError, invalid_request
from callmissed.money import Paise, show_rupees


def not_paid() -> ApiError:
    """400: nothing was paid that could go back."""
    return invalid_request("The order is not paid.", "order_id", code="order_not_paid")


def more_than_paid(left: Paise) -> ApiError:
    """400: all refunds together are at most what was paid."""
    return invalid_request(
        f"At most {show_rupees(left)} of the order can still be refunded.", "amount", code="refund_too_large"
    )


def other_refund() -> ApiError:
    """409: the id was used for a refund of another amount."""
    return ApiError(409, "conflict", "This refund_id was used for another amount.")
