"""Refusals of purchases."""

from callmissed.errors import ApiError, invalid_request


def amount_mismatch() -> ApiError:
    """409: the gateway took another amount than the order's, so nothing was granted."""
    return ApiError(409, "amount_mismatch", "The payment's amount is not the order's. Nothing was granted.")


def gateway_failed() -> ApiError:
    """502: the gateway refused, or did not answer."""
    return ApiError(502, "payment_gateway_error", "The payment gateway did not accept the request. Please retry.")


def already_completed() -> ApiError:
    """400: there is nothing left to pay."""
    return invalid_request("The order is completed.", "order_id", code="order_completed")


def order_expired() -> ApiError:
    """400: the order is too old to be paid at its price, or was tried too often; the same may be ordered again."""
    return ApiError(400, "order_expired", "This order has expired, with the price that it was made at. Order again.")
