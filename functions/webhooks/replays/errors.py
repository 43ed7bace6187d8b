"""Errors that the API of replays answers with."""

from callmissed.errors import ApiError


def replay_not_found() -> ApiError:
    """404: the webhook has no replay of this id, or none any more."""
    return ApiError(404, "not_found", "No such replay.")
