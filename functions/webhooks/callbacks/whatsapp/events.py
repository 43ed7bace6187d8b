"""The events of WhatsApp's callbacks.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages

An end user has a phone number, a business-scoped user id, or both. A shape that can't become an event is rejected: it
stays in the outbox as received, and is counted instead of tried again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from callmissed.clock import Micros
from callmissed.events.outbox import Event, new_event
from callmissed.events.types import MessageError, MessageReceived, MessageStatus
from functions.webhooks.callbacks.whatsapp.payloads import (
    JsonObject,
    as_list,
    as_object,
    as_text,
    first_text,
    parse,
    status_identity,
    without_surrogates,
)

_FIELD = "messages"
_RECIPIENT_USER_IDS = ("recipient_user_id", "recipient_participant_user_id")
_CAPTIONED = ("image", "video", "document")


class UnknownFieldError(Exception):
    """A change of a field without a processor."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stored callback says.

    `rejects` has the reason for each part that can't become an event. `error_codes` are Meta's, of errors that belong
    to no message; 0 stands for one without a code.
    """

    events: list[Event] = field(default_factory=list[Event])
    rejects: list[str] = field(default_factory=list[str])
    error_codes: list[int] = field(default_factory=list[int])


class _RejectedError(Exception):
    """A part that can't become an event. The message is the reason, without content."""


def read(tenant: str, text: str, now: Micros) -> Reading:
    """The events of a stored callback, identified by the wamid, so that a redelivery publishes nothing twice.

    Raises ValueError for a text that is no callback, and UnknownFieldError.
    """
    reading = Reading()
    for change in _changes(text, reading):
        value = change["value"]
        reading.error_codes.extend(_code(as_object(error)) or 0 for error in _parts(value, "errors", reading))
        for name, make in (("messages", _received), ("statuses", _status)):
            for part in _parts(value, name, reading):
                try:
                    reading.events.append(make(tenant, as_object(part), value, now))
                except _RejectedError as rejected:
                    reading.rejects.append(str(rejected))
        if not any(value.get(name) for name in ("messages", "statuses", "errors")):
            reading.rejects.append("no message, status or error")
    return reading


def _changes(text: str, reading: Reading) -> Iterator[JsonObject]:
    """The changes that have a field and a value. Raises ValueError, UnknownFieldError."""
    entries = _entries(text)
    if entries is None:
        reading.rejects.append("nested too deeply")
    for entry in entries or []:
        changes = as_list(as_object(entry).get("changes"))
        if not changes:
            reading.rejects.append("an entry without changes")
        for change in map(as_object, changes):
            name = change.get("field")
            if isinstance(name, str) and name not in ("", _FIELD):
                raise UnknownFieldError
            if name == _FIELD and isinstance(change.get("value"), dict):
                yield change
            else:
                reading.rejects.append("a change without field or value")


def _entries(text: str) -> list[Any] | None:
    """The callback's entries; None if they are nested too deeply. Raises ValueError for a text that is no callback."""
    try:
        parsed = parse(text)
        if "\\u" in text:
            parsed = without_surrogates(parsed)
    except RecursionError:
        return None
    entries = as_object(parsed).get("entry")
    if not isinstance(entries, list):
        raise ValueError("no list of entries")
    return as_list(entries)


def _parts(value: JsonObject, name: str, reading: Reading) -> list[Any]:
    parts = value.get(name)
    if parts and not isinstance(parts, list):
        reading.rejects.append(f"{name} that are no list")
    return as_list(parts)


def _received(tenant: str, message: JsonObject, value: JsonObject, now: Micros) -> Event:
    """The event of a message. Raises _RejectedError."""
    contact = _contact(value, wa_id=message.get("from"), user_id=message.get("from_user_id"))
    system = as_object(message.get("system"))
    sender = first_text(message.get("from"), contact.get("wa_id"))
    user_id = first_text(message.get("from_user_id"), contact.get("user_id"), *_system_user_ids(system))
    id = as_text(message.get("id"))
    if not id:
        raise _RejectedError("a message without an id")
    if not sender and not user_id:
        raise _RejectedError("a message of nobody")
    fields = {"channel": "whatsapp", "from": sender, "user_id": user_id, "message_id": id, "text": _text(message)}
    kind, content = as_text(message.get("type")) or "unknown", _content(message)
    data = MessageReceived.model_validate({**fields, "type": kind, "content": content})
    return _event(tenant, data, now, id)


def _status(tenant: str, status: JsonObject, value: JsonObject, now: Micros) -> Event:
    """The event of a status. Raises _RejectedError."""
    identity = status_identity(status)
    if identity is None:
        raise _RejectedError("a status without an id or a name")
    contact = _contact(value, wa_id=status.get("recipient_id"), user_id=status.get("recipient_user_id"))
    errors = [_error(as_object(error)) for error in as_list(status.get("errors"))]
    data = MessageStatus(
        channel="whatsapp",
        message_id=identity[0],
        status=identity[1],
        recipient=first_text(status.get("recipient_id"), contact.get("wa_id")),
        user_id=first_text(*map(status.get, _RECIPIENT_USER_IDS), contact.get("user_id")),
        error="; ".join(filter(None, map(_summary, errors))) or None,
        errors=errors,
        content=_without(status, "id", "status", "recipient_id", "recipient_user_id"),
    )
    return _event(tenant, data, now, "\0".join(identity))


def _event(tenant: str, data: MessageReceived | MessageStatus, now: Micros, unique: str) -> Event:
    """The event, without the rest of the channel's content if that is too large or too deep. Raises _RejectedError."""
    for changes in ({}, {"content": None}):
        try:
            return new_event(tenant, data.model_copy(update=changes) if changes else data, now, unique=unique)
        except (ValueError, RecursionError):
            continue
    raise _RejectedError("too large for an event")


def _text(message: JsonObject) -> str | None:
    """What the end user wrote or chose, or what the system says of the end user."""
    kind = as_text(message.get("type")) or ""
    part = as_object(message.get(kind))
    match kind:
        case "text" | "system":
            return as_text(part.get("body"))
        case "button" | "order":
            return as_text(part.get("text"))
        case "interactive":
            reply = as_object(part.get(as_text(part.get("type")) or ""))
            return first_text(reply.get("title"), reply.get("body"))
        case _:
            return as_text(part.get("caption")) if kind in _CAPTIONED else None


def _contact(value: JsonObject, **known: Any) -> JsonObject:
    """The contact with what is `known` of the end user, or the only contact if nothing is known.

    `contacts` is shared by all messages of a change, so another person's contact may be the only one.
    """
    contacts = [as_object(contact) for contact in as_list(value.get("contacts"))]
    for name, id in known.items():
        if as_text(id):
            return next((contact for contact in contacts if contact.get(name) == id), JsonObject())
    return contacts[0] if len(contacts) == 1 else JsonObject()


def _system_user_ids(system: JsonObject) -> tuple[Any, Any]:
    """The user id before a change of it, by which the end user is known, and the one after it."""
    return system.get("previous_user_id"), system.get("user_id")


def _error(error: JsonObject) -> MessageError:
    return MessageError(
        code=_code(error),
        title=as_text(error.get("title")),
        message=as_text(error.get("message")),
        details=as_text(as_object(error.get("error_data")).get("details")),
    )


def _summary(error: MessageError) -> str:
    return " ".join(str(part) for part in (error.code, error.title) if part is not None)


def _code(error: JsonObject) -> int | None:
    code = error.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _content(message: JsonObject) -> JsonObject:
    """What the event does not say otherwise."""
    said = ["from", "from_user_id", "id", "type"]
    if as_object(message.get("text")).keys() == {"body"} and message.get("type") == "text":
        said.append("text")
    return _without(message, *said)


def _without(part: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in part.items() if name not in names}
