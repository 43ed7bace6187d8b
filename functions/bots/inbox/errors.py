"""Errors of the API of conversations and hand-offs."""

from callmissed.errors import ApiError


def conversation_not_found() -> ApiError:
    """404: the same for an unknown id and another tenant's conversation."""
    return ApiError(404, "not_found", "No such conversation.")


def handoff_not_found() -> ApiError:
    """404: nobody waits for a person in the conversation."""
    return ApiError(404, "not_found", "The conversation is not in the hand-off queue.")


def conversation_superseded() -> ApiError:
    """409: the end user has a newer conversation at the number."""
    return ApiError(
        409, "conversation_superseded", "The end user has a newer conversation, and only one of them can be open."
    )


def conversation_changed() -> ApiError:
    """409: the conversation was changed concurrently at each try."""
    return ApiError(409, "conflict", "The conversation changed at the same time. Please retry.")


def unprocessable(where: str, name: str, problem: str) -> ApiError:
    """422: the value at `name` in the `body` or `query` is invalid."""
    details = [{"loc": [where, name], "msg": problem}]
    return ApiError(422, "invalid_request_error", "The request is invalid.", details=details)
