"""Bodies of messages as Graph takes them.

A content is what the conversation stores: type and parts, without the recipient. `addressed` makes Graph's body of it.
https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
"""

from collections.abc import Mapping, Sequence
from typing import Any

from functions.bots.channels.whatsapp.graph import JsonObject

MEDIA_KINDS = ("image", "video", "audio", "document", "sticker")


def text_content(text: str, *, preview_url: bool = False) -> JsonObject:
    """A text of at most 4,096 characters."""
    return {"type": "text", "text": {"body": text, "preview_url": preview_url}}


def media_content(
    kind: str, *, media_id: str | None = None, link: str | None = None, caption: str | None = None, filename: str | None
) -> JsonObject:
    """Media by Meta's id, or by a link that Meta fetches."""
    fields = {"id": media_id, "link": link, "caption": caption, "filename": filename}
    return {"type": kind, kind: {name: value for name, value in fields.items() if value is not None}}


def interactive_content(interactive: Mapping[str, Any]) -> JsonObject:
    """An interactive message."""
    return {"type": "interactive", "interactive": dict(interactive)}


def buttons(titles: Sequence[tuple[str, str]]) -> JsonObject:
    """The action with reply buttons: id and title of each."""
    replies = [{"type": "reply", "reply": {"id": id, "title": title}} for id, title in titles]
    return {"buttons": replies}


def interactive(
    kind: str, body: str, action: Mapping[str, Any], *, footer: str | None, header: str | None
) -> JsonObject:
    """An interactive message of `kind` with its texts."""
    texts: JsonObject = {"body": {"text": body}}
    if header is not None:
        texts["header"] = {"type": "text", "text": header}
    if footer is not None:
        texts["footer"] = {"text": footer}
    return {"type": kind, **texts, "action": dict(action)}


def reaction_content(wamid: str, emoji: str) -> JsonObject:
    """A reaction to a message; an empty emoji takes it back."""
    return {"type": "reaction", "reaction": {"message_id": wamid, "emoji": emoji}}


def location_content(latitude: float, longitude: float, name: str | None, address: str | None) -> JsonObject:
    """A place."""
    fields = {"latitude": latitude, "longitude": longitude, "name": name, "address": address}
    return {"type": "location", "location": {key: value for key, value in fields.items() if value is not None}}


def contacts_content(contacts: Sequence[Mapping[str, Any]]) -> JsonObject:
    """Cards of contacts."""
    return {"type": "contacts", "contacts": [dict(contact) for contact in contacts]}


def addressed(
    content: Mapping[str, Any], *, wa_id: str | None, user_id: str | None, opaque: str, reply_to: str | None = None
) -> JsonObject:
    """Graph's body: `to` where the number is known, else `recipient`. Statuses repeat `opaque`."""
    body: JsonObject = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    body |= {"to": wa_id} if wa_id else {"recipient": user_id}
    if reply_to:
        body["context"] = {"message_id": reply_to}
    return {**body, **content, "biz_opaque_callback_data": opaque}


def opaque_of(conversation_id: str, message_id: str) -> str:
    """What a status repeats of the message that it is about."""
    return f"{conversation_id}:{message_id}"
