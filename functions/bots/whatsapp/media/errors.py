"""Errors of media."""

from callmissed.errors import ApiError


def unknown_media() -> ApiError:
    """404: the tenant has no such media."""
    return ApiError(404, "not_found", "There is no such media.")


def too_large(max_bytes: int) -> ApiError:
    """413: API Gateway carries no more."""
    return ApiError(413, "file_too_large", f"The media are larger than {max_bytes} bytes, the maximum of this API.")


def unsupported_type() -> ApiError:
    """422: WhatsApp takes no such file."""
    message = "WhatsApp does not take files of this type."
    return ApiError(422, "unsupported_media", message, details=[{"loc": ["body", "file"], "msg": message}])


def sandboxed() -> ApiError:
    """403: a test key reaches nothing at Meta."""
    return ApiError(403, "sandbox_key", "A test key reaches no media at Meta. Use a live key.")
