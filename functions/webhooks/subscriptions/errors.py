"""Errors that the API of subscriptions answers with."""

from callmissed.errors import ApiError


def webhook_limit_reached(max_webhooks: int) -> ApiError:
    """409: the tenant has as many webhooks as it may."""
    return ApiError(409, "webhook_limit_reached", f"A tenant has at most {max_webhooks} webhooks.")


def webhook_changed() -> ApiError:
    """409: others changed the webhook during each try."""
    return ApiError(409, "conflict", "The webhook changed at the same time. Please retry.")
