"""Errors of the API of webhooks and deliveries."""

from callmissed.errors import ApiError


def webhook_not_found() -> ApiError:
    """404: the same for an unknown id, a deleted webhook and another tenant's webhook."""
    return ApiError(404, "not_found", "No such webhook.")


def delivery_not_found() -> ApiError:
    """404: the webhook has no delivery of this id, or it expired."""
    return ApiError(404, "not_found", "No such delivery.")


def webhook_inactive() -> ApiError:
    """400: nothing is replayed to a webhook that is paused or disabled."""
    return ApiError(400, "webhook_inactive", "The webhook is paused or disabled. Activate it first.")


def event_expired() -> ApiError:
    """410: the event's body is kept for 30 days."""
    return ApiError(410, "event_expired", "The event is no longer kept, so it can't be sent again.")


def unprocessable(where: str, name: str, problem: str) -> ApiError:
    """422: the value at `name` in the `body` or `query` is invalid."""
    details = [{"loc": [where, name], "msg": problem}]
    return ApiError(422, "invalid_request_error", "The request is invalid.", details=details)
