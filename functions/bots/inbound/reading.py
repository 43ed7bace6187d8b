"""Reads the stored callbacks of WhatsApp.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages

An end user has a phone number, a business-scoped user id, or both. A shape that can't be read is rejected: it stays in
the outbox as received, and is counted instead of tried again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from callmissed.clock import SECOND, Micros
from callmissed.events.types import MessageError
from callmissed.integrations.whatsapp_payloads import (
    ECHOES,
    MESSAGES,
    JsonObject,
    as_list,
    as_object,
    as_text,
    first_text,
    parse,
    status_identity,
    without_surrogates,
)
from functions.bots.conversations.records import EndUser
from functions.bots.inbound.parts import Part, ReceivedMessage, ReceivedStatus

_RECIPIENT_USER_IDS = ("recipient_user_id", "recipient_participant_user_id")
_CAPTIONED = ("image", "video", "document")
_MEDIA = (*_CAPTIONED, "audio", "sticker")
_EARLIER = {"reaction": "message_id", "edit": "original_message_id", "revoke": "original_message_id"}
"""Where a message about an earlier one names that one."""

_MAX_TIMESTAMP_DIGITS = 12
_MAX_ID_BYTES = 500
"""Maximum of an id that becomes part of a key: Meta's are shorter than 200."""

_MAX_CODE = 10**9


@dataclass(slots=True)
class Reading:
    """What a stored callback says.

    `number_id` is the phone number's. `rejects` has the reason for each part that can't be read. `error_codes` are
    Meta's, of errors that belong to no message; 0 stands for one without a code.
    """

    number_id: str | None = None
    parts: list[Part] = field(default_factory=list[Part])
    rejects: list[str] = field(default_factory=list[str])
    error_codes: list[int] = field(default_factory=list[int])


class _RejectedError(Exception):
    """A part that can't be read. The message is the reason, without content."""


def read(text: str) -> Reading:
    """What the text of a stored callback says.

    Raises ValueError for a text that is no callback.
    """
    reading = Reading()
    for change in _changes(text, reading):
        value = change["value"]
        reading.number_id = reading.number_id or _number_id(value)
        reading.error_codes.extend(_code(as_object(error)) or 0 for error in _parts(value, "errors", reading))
        lists = _LISTS[change["field"]]
        for name, make in lists.items():
            for part in _parts(value, name, reading):
                try:
                    reading.parts.append(make(as_object(part), value))
                except _RejectedError as rejected:
                    reading.rejects.append(str(rejected))
        if not any(value.get(name) for name in (*lists, "errors")):
            reading.rejects.append("no message, status or error")
    return reading


def _changes(text: str, reading: Reading) -> Iterator[JsonObject]:
    """The changes that have a value, and a field that is processed. Raises ValueError."""
    entries = _entries(text)
    if entries is None:
        reading.rejects.append("nested too deeply")
    for entry in entries or []:
        changes = as_list(as_object(entry).get("changes"))
        if not changes:
            reading.rejects.append("an entry without changes")
        for change in map(as_object, changes):
            name = change.get("field")
            if isinstance(name, str) and name in _LISTS and isinstance(change.get("value"), dict):
                yield change
            else:
                reading.rejects.append("a change without value, or of no field that is processed")


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


def _number_id(value: JsonObject) -> str | None:
    return as_text(as_object(value.get("metadata")).get("phone_number_id"))


def _received(message: JsonObject, value: JsonObject) -> ReceivedMessage:
    """A message. Raises _RejectedError."""
    contact = _contact(value, wa_id=message.get("from"), user_id=message.get("from_user_id"))
    system = as_object(message.get("system"))
    sender = first_text(message.get("from"), contact.get("wa_id"))
    user_id = first_text(message.get("from_user_id"), contact.get("user_id"), *_system_user_ids(system))
    wamid = as_text(message.get("id"))
    if not wamid:
        raise _RejectedError("a message without an id")
    if not sender and not user_id:
        raise _RejectedError("a message of nobody")
    renamed = _renamed(system) if message.get("type") == "system" else None
    _check_ids(wamid, sender, user_id, *(renamed.keys if renamed else ()))
    kind = as_text(message.get("type")) or "unknown"
    return ReceivedMessage(
        wamid=wamid,
        user=EndUser(sender, user_id, as_text(as_object(contact.get("profile")).get("name"))),
        type=kind,
        text=_text(message),
        content=_content(message),
        sent=_moment(message.get("timestamp")),
        reply_to=first_text(
            as_object(message.get("context")).get("id"), as_object(message.get(kind)).get(_EARLIER.get(kind, ""))
        ),
        media=as_object(message.get(kind)) if kind in _MEDIA else None,
        renamed=renamed,
        is_in_group=bool(message.get("group_id")),
    )


def _echo(message: JsonObject, value: JsonObject) -> ReceivedMessage:
    """A colleague's message to an end user. Raises _RejectedError."""
    to, user_id = (as_text(message.get("to")) or "").removeprefix("+"), message.get("to_user_id")
    contact = _contact(value, user_id=user_id) or _contact(value, wa_id=to)
    # Read as if the end user had sent it: only the names of the recipient's fields differ.
    named = {"from": first_text(contact.get("wa_id"), to), "from_user_id": first_text(user_id, contact.get("user_id"))}
    rest = _without(message, "to", "to_user_id")
    return replace(_received(rest | named, {"contacts": [contact]}), renamed=None, is_echo=True)


def _status(status: JsonObject, value: JsonObject) -> ReceivedStatus:
    """A status. Raises _RejectedError."""
    identity = status_identity(status)
    if identity is None:
        raise _RejectedError("a status without an id or a name")
    _check_ids(identity[0])
    contact = _contact(value, wa_id=status.get("recipient_id"), user_id=status.get("recipient_user_id"))
    return ReceivedStatus(
        wamid=identity[0],
        status=identity[1],
        unique="\0".join(identity),
        recipient=EndUser(
            first_text(status.get("recipient_id"), contact.get("wa_id")),
            first_text(*map(status.get, _RECIPIENT_USER_IDS), contact.get("user_id")),
        ),
        errors=[_error(as_object(error)) for error in as_list(status.get("errors"))],
        content=_without(status, "id", "status", "recipient_id", "recipient_user_id"),
        ours=as_text(status.get("biz_opaque_callback_data")),
    )


def _check_ids(*ids: str | None) -> None:
    """Raises _RejectedError for an id that no key has room for."""
    if any(id and len(id.encode()) > _MAX_ID_BYTES for id in ids):
        raise _RejectedError("an id that is too long")


def _moment(timestamp: Any) -> Micros | None:
    """The moment of Meta's seconds since the epoch; None for what is no such number."""
    text = as_text(timestamp)
    if text is None or len(text) > _MAX_TIMESTAMP_DIGITS or not text.isascii() or not text.isdigit():
        return None
    return Micros(int(text) * SECOND)


def _renamed(system: JsonObject) -> EndUser:
    """The names that an end user has from now on."""
    return EndUser(first_text(system.get("wa_id"), system.get("new_wa_id")), as_text(system.get("user_id")))


def _text(message: JsonObject) -> str | None:
    """What the end user wrote or chose, or what the system says of the end user."""
    kind = as_text(message.get("type")) or ""
    part = as_object(message.get(kind))
    match kind:
        case "text" | "system":
            return as_text(part.get("body"))
        case "edit":
            return _text(as_object(part.get("message")))
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


def _code(error: JsonObject) -> int | None:
    code = error.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < _MAX_CODE else None


def _content(message: JsonObject) -> JsonObject:
    """What the event does not say otherwise."""
    said = ["from", "from_user_id", "id", "type"]
    if as_object(message.get("text")).keys() == {"body"} and message.get("type") == "text":
        said.append("text")
    return _without(message, *said)


def _without(part: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in part.items() if name not in names}


_LISTS: Mapping[str, Mapping[str, Callable[[JsonObject, JsonObject], Part]]] = {
    MESSAGES: {"messages": _received, "statuses": _status},
    ECHOES: {"message_echoes": _echo},
}
"""Fields that are processed: their lists, and what reads a part of each."""
