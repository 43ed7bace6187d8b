"""Errors of the API of replays."""

from callmissed.errors import ApiError


def replay_not_found() -> ApiError:
    """404: the webhook has no replay of this id, or it expired."""
    return ApiError(404, "not_found", "No such replay.")
