"""Errors of messages, by what Meta answered and what we know before we ask it. Meta's own texts stay in the message."""

from collections.abc import Mapping

from callmissed.errors import ApiError
from functions.bots.channels.whatsapp.errors import MEANINGS, FaultMeaning
from functions.bots.channels.whatsapp.graph import GraphError, GraphRefused
from functions.bots.conversations.messages import SendFailure
from functions.bots.outbound.errors import (
    ConversationBusy,
    NotSendable,
    NumberDisconnected,
    QueueFull,
    WindowClosed,
)

_RETRY = {"Retry-After": "10"}

_ANSWERS: Mapping[FaultMeaning, tuple[int, str, str]] = {
    FaultMeaning.WINDOW_CLOSED: (
        422,
        "window_closed",
        "The user's last message is more than 24 hours old; only a template may be sent.",
    ),
    FaultMeaning.UNDELIVERABLE: (422, "message_undeliverable", "WhatsApp can't deliver messages to this user."),
    FaultMeaning.PAIR_RATE: (429, "pair_rate_limited", "Too many messages to this user in a short time."),
    FaultMeaning.THROUGHPUT: (429, "throughput_limited", "The number sends too many messages at the moment."),
    FaultMeaning.TOKEN: (409, "number_disconnected", "Meta refuses the number's access token. Onboard it again."),
    FaultMeaning.PERMISSION: (409, "permission_missing", "The number's access token lacks a permission at Meta."),
    FaultMeaning.ACCOUNT_BLOCKED: (409, "account_blocked", "Meta has restricted the WhatsApp account."),
    FaultMeaning.NUMBER: (409, "number_not_registered", "The number is not registered, or the token may not use it."),
    FaultMeaning.INVALID: (422, "invalid_message", "Meta refuses a value of the message."),
    FaultMeaning.UNSUPPORTED: (422, "unsupported_message", "Meta does not support this type of message here."),
    FaultMeaning.MEDIA: (422, "media_failed", "Meta could not fetch, or does not accept, the media."),
    FaultMeaning.PAYMENT: (409, "payment_method_missing", "The WhatsApp account has no valid payment method at Meta."),
    FaultMeaning.TEMPLATE: (422, "template_rejected", "Meta refuses the template."),
    FaultMeaning.UNAVAILABLE: (503, "whatsapp_unavailable", "WhatsApp is briefly unavailable. Nothing was sent."),
    FaultMeaning.OTHER: (502, "whatsapp_refused", "Meta refused the message."),
}


def refused_message(error: SendFailure) -> ApiError:
    """The error of a message that Meta refused, or did not get."""
    if error.title == "window_closed" and error.code is None:
        return _answer(FaultMeaning.WINDOW_CLOSED, None)
    if error.code is None:
        return _answer(FaultMeaning.UNAVAILABLE, None)
    return _answer(MEANINGS.get(error.code, FaultMeaning.OTHER), error.code)


def graph_failed(error: GraphError) -> ApiError:
    """The error of a request to Meta that sends no message."""
    if isinstance(error, GraphRefused):
        return _answer(error.fault.meaning, error.fault.code)
    return ApiError(503, "whatsapp_unavailable", "WhatsApp did not answer. Please retry.", headers={"Retry-After": "5"})


def not_sent(reason: NotSendable) -> ApiError:
    """The error of a message that we did not send."""
    match reason:
        case WindowClosed():
            return _answer(FaultMeaning.WINDOW_CLOSED, None)
        case NumberDisconnected():
            return refused_number()
        case QueueFull():
            return ApiError(429, "too_many_waiting", "Too many messages to this user wait.", headers=_RETRY)
        case ConversationBusy():
            return ApiError(409, "conflict", "Another message to this user is being sent. Please retry.")
        case _:
            return ApiError(409, "conflict", "The conversation changed meanwhile. Please retry.")


def refused_number() -> ApiError:
    """409: Meta refused the number's token."""
    return ApiError(409, "number_disconnected", "The number is disconnected from Meta. Onboard it again.")


def unknown_number() -> ApiError:
    """404: the tenant has no such number."""
    return ApiError(404, "not_found", "There is no such phone number.")


def unknown_message() -> ApiError:
    """404: the tenant has no such message."""
    return ApiError(404, "not_found", "There is no such message.")


def unknown_conversation() -> ApiError:
    """404: the tenant has no such conversation at the number."""
    return ApiError(404, "not_found", "The number has no such conversation.")


def no_conversation() -> ApiError:
    """422: the user never wrote to the number, so the window was never open."""
    return _answer(FaultMeaning.WINDOW_CLOSED, None)


def _answer(meaning: FaultMeaning, code: int | None) -> ApiError:
    status, name, message = _ANSWERS[meaning]
    text = message if code is None else f"{message} (Meta's error {code})"
    headers = _RETRY if status in (429, 503) else {}
    details = [{"loc": ["body"], "msg": text}] if status == 422 else []
    return ApiError(status, name, text, headers=headers, details=details)
