"""What a phone can do, as JSON has it: one field of `PhoneMessage`, or one of `ACTIONS` by name."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from local.fakes.graph.errors import JsonObject
from local.fakes.graph.interactive import offered
from local.fakes.graph.phones import PhoneError, PhoneUser
from local.fakes.graph.state import ChatEntry

MAX_TEXT = 65_536
_KINDS = ("text", "choose", "reaction", "location", "contact", "media")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Reaction(_Part):
    wamid: str
    emoji: str = ""


class _Location(_Part):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    name: str | None = None
    address: str | None = None


class _Contact(_Part):
    name: Annotated[str, Field(min_length=1)]
    phone: Annotated[str, Field(min_length=1)]


class _Media(_Part):
    """A file, its bytes in base64."""

    type: Literal["image", "video", "audio", "document", "sticker"]
    mime_type: str
    data: str
    caption: str | None = None
    filename: str | None = None


class PhoneMessage(_Part):
    """A message that the user sends. `choose` is the id or title of a button or row."""

    text: Annotated[str | None, Field(min_length=1, max_length=MAX_TEXT)] = None
    choose: str | None = None
    reaction: _Reaction | None = None
    location: _Location | None = None
    contact: _Contact | None = None
    media: _Media | None = None
    reply_to: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(f"exactly one of {', '.join(_KINDS)} is needed")
        return self

    def send_from(self, phone: PhoneUser) -> str:
        """Send the message; returns its id. Raises PhoneError."""
        match self:
            case PhoneMessage(choose=str(choice)):
                return phone.choose(choice)
            case PhoneMessage(reaction=_Reaction(wamid=wamid, emoji=emoji)):
                return phone.react(wamid, emoji)
            case PhoneMessage(location=_Location() as place):
                return phone.share_location(**place.model_dump(exclude_none=True))
            case PhoneMessage(contact=_Contact(name=name, phone=number)):
                return phone.share_contact(name, number)
            case PhoneMessage(media=_Media() as media):
                return _send_media(phone, media)
            case _:
                return phone.say(self.text or "", reply_to=self.reply_to)


def _send_media(phone: PhoneUser, media: _Media) -> str:
    try:
        content = base64.b64decode(media.data, validate=True)
    except binascii.Error:
        raise PhoneError("'data' is not base64.") from None
    more = {"caption": media.caption, "filename": media.filename}
    return phone.send_media(media.type, content, media.mime_type, **more)


def _change_number(phone: PhoneUser, body: JsonObject) -> None:
    new = "".join(filter(str.isdigit, str(body.get("to", ""))))
    if not new:
        raise PhoneError("'to' is the new number.")
    phone.change_number(new)


def _hear(phone: PhoneUser, body: JsonObject) -> None:
    text = body.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise PhoneError("'text' is what the colleague writes.")
    phone.hear("text", {"body": text})


ACTIONS: Mapping[str, Callable[[PhoneUser, JsonObject], Any]] = {
    "block": lambda phone, _: phone.block(),
    "unblock": lambda phone, _: phone.unblock(),
    "online": lambda phone, _: phone.set_online(),
    "offline": lambda phone, _: phone.set_online(False),
    "reads": lambda phone, _: phone.set_reads(),
    "leaves_unread": lambda phone, _: phone.set_reads(False),
    "hide_number": lambda phone, body: phone.hide_number(body.get("username")),
    "show_number": lambda phone, _: phone.show_number(),
    "colleague_writes": _hear,
    "change_number": _change_number,
    "change_user_id": lambda phone, _: phone.change_user_id(),
    "close_window": lambda phone, _: phone.close_window(),
}


def shown(entry: ChatEntry) -> JsonObject:
    """A message as the phone shows it."""
    interactive = entry.outgoing and entry.kind == "interactive"
    choices = list(offered(entry.content).values()) if interactive else []
    return {
        "wamid": entry.wamid,
        "revision": entry.revision,
        "outgoing": entry.outgoing,
        "type": entry.kind,
        "text": entry.text if entry.text is not None else f"[{entry.kind}]",
        "choices": choices,
        "status": entry.status,
        "error": entry.error,
        "moment": entry.moment,
        "context": entry.context,
    }
