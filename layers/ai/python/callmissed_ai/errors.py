"""Errors of an upstream that fails after it began to answer.

ApiError
├─ 502 upstream_error    the answer can't be used
└─ 503 provider_error    the answer broke off, took too long, or went on far above its limit
"""

from callmissed.errors import ApiError
from callmissed.observability import count, get_logger

_logger = get_logger("inference")


def unusable_reply(why: str) -> ApiError:
    """502, logged: the upstream answered, and the answer can't be used."""
    _logger.error("unusable upstream answer", extra={"why": why})
    return ApiError(502, "upstream_error", "The model's provider sent an unusable reply. Nothing was charged.")


def provider_broke_off() -> ApiError:
    """503: a blocking reply broke off."""
    return ApiError(503, "provider_error", "The model's provider broke off. Nothing was charged.")


def provider_too_slow() -> ApiError:
    """503: a reply was not whole in its time, or a stream did not begin."""
    message = "The model's provider took too long. Nothing was charged. Streams may be longer."
    return ApiError(503, "provider_error", message, timed_out=True)


def provider_broke_off_midstream() -> ApiError:
    """503: a stream broke off; the part that arrived is charged."""
    return ApiError(503, "provider_error", "The model's provider broke off in the midst of its reply.")


def runaway_reply(call_id: str) -> ApiError:
    """503, counted: a stream went on far above its output limit and was stopped; the part that arrived is charged."""
    record_runaway(call_id)
    return ApiError(503, "provider_error", "The model's provider went on far above the output limit and was stopped.")


def record_runaway(call_id: str) -> None:
    """Log and count a reply that went on far above its output limit; `infra` sets an alarm on it."""
    _logger.error("a reply went on far above its output limit", extra={"call": call_id})
    count("RunawayReply")
