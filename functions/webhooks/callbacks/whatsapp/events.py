"""The events of WhatsApp's callbacks.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from callmissed.clock import Micros
from callmissed.events.outbox import Event, new_event
from callmissed.events.types import EventData, MessageReceived, MessageStatus


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Text(_Seen):
    """Text of a text message."""

    body: str


class WhatsAppMessage(_Seen):
    """A message of an end user. `sender` is the digits of a phone number, `id` the wamid."""

    sender: str = Field(alias="from", min_length=1)
    id: str = Field(min_length=1)
    type: str
    text: Text | None = None


class Error(_Seen):
    """Error of a failed message."""

    code: int
    title: str = ""


class Status(_Seen):
    """Status of a message of the platform, whose wamid is `id`."""

    id: str = Field(min_length=1)
    status: str
    recipient_id: str = ""
    errors: list[Error] = []


class MessagesValue(_Seen):
    """A change of the field `messages`."""

    messages: list[WhatsAppMessage] = []
    statuses: list[Status] = []


class MessagesChange(_Seen):
    """A change of a field."""

    field: str
    value: MessagesValue


class BusinessAccountEntry(_Seen):
    """Changes of one WhatsApp Business account."""

    changes: list[MessagesChange]


class StoredBody(_Seen):
    """The text of a stored callback."""

    entry: list[BusinessAccountEntry]


class UnknownFieldError(Exception):
    """A change of a field without a processor."""


def events_of(tenant: str, text: str, now: Micros) -> list[Event]:
    """The events of a stored callback, identified by the wamid, so that a redelivery publishes nothing twice.

    Raises pydantic.ValidationError for an invalid text, UnknownFieldError, and ValueError for an event that
    is too large.
    """
    return [
        new_event(tenant, data, now, unique=unique)
        for entry in StoredBody.model_validate_json(text).entry
        for change in entry.changes
        for unique, data in _event_data(change)
    ]


def _event_data(change: MessagesChange) -> Iterator[tuple[str, EventData]]:
    value = change.value
    if change.field != "messages" or not (value.messages or value.statuses):
        raise UnknownFieldError
    for message in value.messages:
        yield message.id, _received(message)
    for status in value.statuses:
        yield f"{status.id}\0{status.status}\0{status.recipient_id}", _status(status)


def _received(message: WhatsAppMessage) -> MessageReceived:
    fields = {"from": message.sender, "message_id": message.id, "type": message.type}
    text = message.text.body if message.text else None
    return MessageReceived.model_validate({"channel": "whatsapp", **fields, "text": text})


def _status(status: Status) -> MessageStatus:
    return MessageStatus(
        channel="whatsapp",
        message_id=status.id,
        status=status.status,
        recipient=status.recipient_id,
        error="; ".join(f"{error.code} {error.title}".strip() for error in status.errors) or None,
    )
