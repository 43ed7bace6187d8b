"""The events of what WhatsApp's callbacks say. Ids follow from Meta's own, so a redelivery publishes nothing twice."""

from typing import Any

from callmissed.clock import Micros
from callmissed.events.outbox import Event, new_event
from callmissed.events.types import MessageError, MessageReceived, MessageSent, MessageStatus
from functions.bots.inbound.parts import Part, ReceivedMessage, ReceivedStatus


class EventTooLargeError(Exception):
    """A part is too large for an event, even without the rest of its content."""


def event_of(
    tenant: str, part: Part, now: Micros, *, conversation_id: str | None = None, bot_id: str | None = None
) -> Event:
    """The event of a message or a status, without the rest of the channel's content if that is too large or too deep.

    Raises EventTooLargeError.
    """
    place = {"conversation_id": conversation_id, "bot_id": bot_id}
    data = _data(part, place)
    unique = part.wamid if isinstance(part, ReceivedMessage) else part.unique
    for changes in ({}, {} if isinstance(data, MessageSent) else {"content": None}):
        try:
            return new_event(tenant, data.model_copy(update=changes) if changes else data, now, unique=unique)
        except (ValueError, RecursionError):
            continue
    raise EventTooLargeError


def _data(part: Part, place: dict[str, Any]) -> MessageReceived | MessageSent | MessageStatus:
    if not isinstance(part, ReceivedMessage):
        return _status(part, place)
    return _sent(part, place) if part.is_echo else _received(part, place)


def _sent(message: ReceivedMessage, place: dict[str, Any]) -> MessageSent:
    said = {"message_id": message.wamid, "type": message.type, "text": message.text}
    return MessageSent.model_validate({"channel": "whatsapp", **place, "to": message.user.external_id, **said})


def _received(message: ReceivedMessage, place: dict[str, Any]) -> MessageReceived:
    fields = {"from": message.user.wa_id, "user_id": message.user.user_id, "message_id": message.wamid}
    said = {"type": message.type, "text": message.text, "content": message.content}
    return MessageReceived.model_validate({"channel": "whatsapp", **place, **fields, **said})


def _status(status: ReceivedStatus, place: dict[str, Any]) -> MessageStatus:
    return MessageStatus(
        **place,
        channel="whatsapp",
        message_id=status.wamid,
        status=status.status,
        recipient=status.recipient.wa_id,
        user_id=status.recipient.user_id,
        error="; ".join(filter(None, map(_summary, status.errors))) or None,
        errors=list(status.errors),
        content=dict(status.content),
    )


def _summary(error: MessageError) -> str:
    return " ".join(str(part) for part in (error.code, error.title) if part is not None)
