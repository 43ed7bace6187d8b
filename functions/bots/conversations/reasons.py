"""Why a turn has no answer: `reason` of a turn that is skipped or failed (docs/turns.md)."""

from enum import StrEnum

from callmissed.errors import ApiError


class Reason(StrEnum):
    """The reasons, by what people do about them."""

    TAKEN_OVER = "taken_over"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    COMPLETED = "completed"
    NO_BOT = "no_bot"
    BOT_INACTIVE = "bot_inactive"
    AUTOREPLY_OFF = "autoreply_off"
    NUMBER_DISCONNECTED = "number_disconnected"
    UNSUPPORTED_TYPE = "unsupported_type"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_MESSAGE = "empty_message"
    TURN_LIMIT = "turn_limit"
    HANDED_OFF = "handed_off"
    LOOP = "loop"
    WINDOW_CLOSED = "window_closed"
    QUOTA_EXCEEDED = "quota_exceeded"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    BUDGET_EXCEEDED = "budget_exceeded"
    ACCOUNT_INACTIVE = "account_inactive"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_REFUSED = "model_refused"
    EMPTY_REPLY = "empty_reply"
    TIMEOUT = "timeout"
    DELIVERY_UNKNOWN = "delivery_unknown"
    UNDELIVERABLE = "undeliverable"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "whatsapp_unreachable"
    CONVERSATION_BUSY = "conversation_busy"
    INTERNAL_ERROR = "internal_error"


_BY_CODE = {
    "insufficient_credits": Reason.INSUFFICIENT_CREDITS,
    "budget_exceeded": Reason.BUDGET_EXCEEDED,
    "quota_exceeded": Reason.QUOTA_EXCEEDED,
    "account_inactive": Reason.ACCOUNT_INACTIVE,
    "account_terminated": Reason.ACCOUNT_INACTIVE,
    "model_not_found": Reason.MODEL_UNAVAILABLE,
    "model_not_available": Reason.MODEL_UNAVAILABLE,
}


def reason_of(refused: ApiError) -> Reason:
    """Why the model gave no reply."""
    if reason := _BY_CODE.get(refused.code):
        return reason
    return Reason.MODEL_UNAVAILABLE if refused.status >= 500 or refused.status == 429 else Reason.MODEL_REFUSED
