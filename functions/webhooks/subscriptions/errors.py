"""Errors of the API of subscriptions."""

from callmissed.errors import ApiError


def webhook_limit_reached(max_webhooks: int) -> ApiError:
    """409: the tenant has the maximum number of webhooks."""
    return ApiError(409, "webhook_limit_reached", f"A tenant has at most {max_webhooks} webhooks.")


def webhook_changed() -> ApiError:
    """409: the webhook was changed concurrently at each try."""
    return ApiError(409, "conflict", "The webhook changed at the same time. Please retry.")
