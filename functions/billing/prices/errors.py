"""Refusals of price imports."""

from callmissed.errors import ApiError


def invalid_document(*problems: str) -> ApiError:
    """422: the providers file can't be used; each problem names row and field."""
    details = [{"loc": ["body", "providers"], "msg": problem} for problem in problems]
    return ApiError(422, "invalid_request_error", "The request is invalid.", details=details)


def not_importable(message: str) -> ApiError:
    """409: this stage's file can't be imported."""
    return ApiError(409, "conflict", message)


def other_document() -> ApiError:
    """409: the preview was of another document."""
    return ApiError(409, "conflict", "The preview was of another document. Preview this one.")


def stale_version() -> ApiError:
    """409: the document in force is not the one of the preview."""
    return ApiError(409, "conflict", "The providers file has changed since the preview. Preview again.")


def import_under_way() -> ApiError:
    """409: another import has begun."""
    return ApiError(409, "conflict", "Another import has begun. Preview again in two minutes.")
