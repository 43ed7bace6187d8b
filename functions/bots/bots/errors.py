"""Errors of the API of bots."""

from callmissed.errors import ApiError


def bot_not_found() -> ApiError:
    """404: the tenant has no such bot."""
    return ApiError(404, "not_found", "Bot not found")


def bot_changed() -> ApiError:
    """409: the bot was changed concurrently at each try."""
    return ApiError(409, "conflict", "The bot changed at the same time. Please retry.")
