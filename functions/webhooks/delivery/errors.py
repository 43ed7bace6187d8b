"""What the API of webhooks refuses."""

from callmissed.errors import ApiError


def no_such_webhook() -> ApiError:
    """404: an id of another tenant, of a deleted webhook, and of none read alike."""
    return ApiError(404, "not_found", "No such webhook.")


def no_such_delivery() -> ApiError:
    """404: the webhook has no delivery of this id, or none any more."""
    return ApiError(404, "not_found", "No such delivery.")


def no_such_replay() -> ApiError:
    """404: the webhook has no replay of this id, or none any more."""
    return ApiError(404, "not_found", "No such replay.")


def limit_reached(most: int) -> ApiError:
    """409: the tenant has as many webhooks as it may."""
    return ApiError(409, "webhook_limit_reached", f"A tenant has at most {most} webhooks.")


def changed_meanwhile() -> ApiError:
    """409: others changed the webhook each time that we tried."""
    return ApiError(409, "conflict", "The webhook changed at the same time. Please retry.")


def inactive() -> ApiError:
    """400: nothing is replayed to a webhook that is paused or disabled."""
    return ApiError(400, "webhook_inactive", "The webhook is paused or disabled. Activate it first.")


def event_expired() -> ApiError:
    """410: the event's body is kept for 30 days."""
    return ApiError(410, "event_expired", "The event is no longer kept, so it can't be sent again.")


def unprocessable(where: str, name: str, problem: str) -> ApiError:
    """422: the value at `name` in the `body` or `query` can't be."""
    details = [{"loc": [where, name], "msg": problem}]
    return ApiError(422, "invalid_request_error", "The request is invalid.", details=details)
