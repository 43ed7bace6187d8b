"""Drafts of the messages that a request asks for, and their ids."""

from callmissed.clock import SECOND, Micros
from callmissed.idempotency.operation import Operation, derived
from callmissed.ids import sortable_id
from functions.bots.channels.whatsapp import payloads
from functions.bots.channels.whatsapp.graph import JsonObject
from functions.bots.channels.whatsapp.text_parts import text_parts
from functions.bots.outbound.drafts import Draft
from functions.bots.whatsapp.messages.schemas import (
    NewContacts,
    NewInteractive,
    NewLocation,
    NewMedia,
    NewReaction,
    NewText,
)
from functions.bots.whatsapp.selectors import NewMessage

_MILLISECOND = 1_000
_RANDOM_DIGITS = 15

Content = tuple[JsonObject, str | None]
"""What Graph gets without the recipient, and what people read of it."""


def contents_of(message: NewMessage, *, meta_media_id: str | None = None) -> list[Content]:
    """The contents of a message: several of a long text, else one. `meta_media_id` is Meta's id of its media."""
    match message:
        case NewText():
            parts = text_parts(message.text)
            return [(payloads.text_content(part, preview_url=message.preview_url), part) for part in parts]
        case NewMedia():
            content = payloads.media_content(
                message.media_type,
                media_id=meta_media_id,
                link=message.link,
                caption=message.caption,
                filename=message.filename,
            )
            return [(content, message.caption)]
        case NewInteractive():
            return [_interactive(message.as_meta_has_it())]
        case NewReaction():
            return [(payloads.reaction_content(message.message_id, message.emoji), message.emoji or None)]
        case NewLocation():
            content = payloads.location_content(message.latitude, message.longitude, message.name, message.address)
            return [(content, message.name or message.address)]
        case NewContacts():
            names = ", ".join(str(card["name"]["formatted_name"]) for card in message.contacts)
            return [(payloads.contacts_content(message.contacts), names)]
        case _:
            raise TypeError(f"no content of a {type(message).__name__}")


def drafts_of(message: NewMessage, author: str, ids: list[str], contents: list[Content]) -> list[Draft]:
    """The drafts of a request's messages. Only the first one answers a message."""
    replies = [message.context_message_id, *[None] * (len(contents) - 1)]
    return [
        Draft(id, author, content, text, reply_to=reply_to)
        for id, (content, text), reply_to in zip(ids, contents, replies, strict=True)
    ]


def message_ids(operation: Operation, begun: Micros, count: int, retries: int = 0) -> list[str]:
    """Ids of the messages of an operation that was `begun` then, the same ones when the request is run again.

    A request whose messages failed gets new ones for each of its `retries`.
    """
    named = f"retry {retries} message" if retries else "message"
    bits = [int(derived(operation.id, f"{named} {part}")[:_RANDOM_DIGITS], 16) for part in range(count)]
    return [f"msg_{sortable_id(Micros(begun + part * _MILLISECOND), each)}" for part, each in enumerate(bits)]


def begun_at(operation: Operation, now: Micros) -> Micros:
    """When the operation began, by which its messages are ordered, the same for every run.

    A keyed one is known to the second: its end, so that an answer comes after the message that it answers.
    """
    return now if operation.begun is None else Micros(operation.begun + SECOND - _MILLISECOND)


def _interactive(interactive: JsonObject) -> Content:
    body = interactive.get("body")
    text = body.get("text") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return payloads.interactive_content(interactive), text if isinstance(text, str) else None
