"""Models of messages. Bounds are Meta's, so that a message that it would refuse is a 422 here."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from callmissed.clock import iso
from callmissed.web.schemas import RequestModel
from functions.bots.channels.whatsapp import payloads
from functions.bots.channels.whatsapp.graph import JsonObject
from functions.bots.channels.whatsapp.text_parts import units
from functions.bots.conversations.messages import StoredMessage
from functions.bots.json_values import check_json
from functions.bots.whatsapp.selectors import NewMessage, Wamid

MAX_TEXT = 65_536
_MAX_CONTENT_BYTES = 32 * 1024

_Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)]
_RowTitle = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=24)]
_Link = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^https?://[^\s]+$")]


class NewText(NewMessage):
    """A text. One of more than 4,096 characters goes out in parts, in their order."""

    text: str = Field(min_length=1, max_length=MAX_TEXT)
    preview_url: bool = Field(default=False, description="Whether WhatsApp shows a preview of the first link.")

    @field_validator("text")
    @classmethod
    def has_text(cls, value: str) -> str:
        """Not only white space, and not too long for astral characters, which count twice."""
        if not value.strip():
            raise ValueError("the text has only white space")
        if units(value) > MAX_TEXT:
            raise ValueError(f"the text has more than {MAX_TEXT} UTF-16 code units")
        return value


class NewMedia(NewMessage):
    """Media: exactly one of `media_id` and `link`, which Meta fetches."""

    type: Literal["image", "document", "audio", "video", "sticker"] | None = None
    kind: Literal["image", "document", "audio", "video", "sticker"] | None = Field(
        default=None, description="Another name of `type`."
    )
    media_id: str | None = Field(default=None, min_length=1, max_length=128)
    link: _Link | None = None
    caption: str | None = Field(default=None, min_length=1, max_length=1024)
    filename: str | None = Field(default=None, min_length=1, max_length=255)

    @model_validator(mode="after")
    def is_whole(self) -> Self:
        """One type, one source, and no caption or file name where Meta takes none."""
        if (self.type is None) == (self.kind is None):
            raise ValueError("exactly one of 'type' and 'kind' is needed")
        if (self.media_id is None) == (self.link is None):
            raise ValueError("exactly one of 'media_id' and 'link' is needed")
        if self.caption is not None and self.media_type in ("audio", "sticker"):
            raise ValueError(f"a message of type '{self.media_type}' has no caption")
        if self.filename is not None and self.media_type != "document":
            raise ValueError("only a document has a 'filename'")
        return self

    @property
    def media_type(self) -> str:
        """The type under either name."""
        return self.type or self.kind or ""


class ReplyButton(RequestModel):
    """A button."""

    id: _Id
    title: _Title


class ListRow(RequestModel):
    """A row of a list."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    title: _RowTitle
    description: Annotated[str, StringConstraints(min_length=1, max_length=72)] | None = None


class ListSection(RequestModel):
    """Rows of a list, with a title where there are several sections."""

    title: _RowTitle | None = None
    rows: list[ListRow] = Field(min_length=1, max_length=10)


class NewInteractive(NewMessage):
    """Buttons, a list or a link: `interactive` as Meta has it, or `interactive_type` with the fields of its type."""

    interactive: dict[str, Any] | None = Field(default=None, description="Meta's own object.")
    interactive_type: Literal["button", "list", "cta_url"] | None = None
    header_text: str | None = Field(default=None, min_length=1, max_length=60)
    body_text: str | None = Field(default=None, min_length=1, max_length=1024)
    footer_text: str | None = Field(default=None, min_length=1, max_length=60)
    buttons: list[ReplyButton] | None = Field(default=None, min_length=1, max_length=3, description="Of a `button`.")
    button_text: _Title | None = Field(default=None, description="Of a `list`, and of a `cta_url`.")
    sections: list[ListSection] | None = Field(default=None, min_length=1, max_length=10, description="Of a `list`.")
    url: _Link | None = Field(default=None, description="Of a `cta_url`.")

    @model_validator(mode="after")
    def is_whole(self) -> Self:
        """One of both shapes, with what its type needs."""
        if (self.interactive is None) == (self.interactive_type is None):
            raise ValueError("exactly one of 'interactive' and 'interactive_type' is needed")
        if self.interactive is not None:
            check_json(self.interactive, _MAX_CONTENT_BYTES)
            return self
        if self.body_text is None:
            raise ValueError("'body_text' is needed")
        needed = _NEEDED[self.interactive_type or ""]
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"a message of type '{self.interactive_type}' needs '{missing[0]}'")
        if self.sections and sum(len(section.rows) for section in self.sections) > 10:
            raise ValueError("a list has at most 10 rows")
        if self.sections and len(self.sections) > 1 and not all(section.title for section in self.sections):
            raise ValueError("each of several sections needs a 'title'")
        return self

    def as_meta_has_it(self) -> JsonObject:
        """The object that goes to Meta."""
        if self.interactive is not None:
            return self.interactive
        kind = self.interactive_type or ""
        return payloads.interactive(
            kind, self.body_text or "", self._action(), header=self.header_text, footer=self.footer_text
        )

    def _action(self) -> JsonObject:
        if self.buttons and self.interactive_type == "button":
            return payloads.buttons([(button.id, button.title) for button in self.buttons])
        if self.sections and self.interactive_type == "list":
            sections = [section.model_dump(exclude_none=True) for section in self.sections]
            return {"button": self.button_text, "sections": sections}
        return {"name": "cta_url", "parameters": {"display_text": self.button_text, "url": self.url}}


_NEEDED = {"button": ("buttons",), "list": ("button_text", "sections"), "cta_url": ("button_text", "url")}


class NewReaction(NewMessage):
    """A reaction to a message; an empty emoji takes it back."""

    message_id: Wamid = Field(description="wamid of the message.")
    emoji: str = Field(max_length=32)


class NewLocation(NewMessage):
    """A place."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str | None = Field(default=None, min_length=1, max_length=1000)
    address: str | None = Field(default=None, min_length=1, max_length=1000)


class NewContacts(NewMessage):
    """Cards of contacts, each as Meta has it: a `name` with `formatted_name`, `phones`, `emails` and so on."""

    contacts: list[dict[str, Any]] = Field(min_length=1, max_length=10)

    @field_validator("contacts")
    @classmethod
    def have_names(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each card has a name."""
        check_json(value, _MAX_CONTENT_BYTES)
        if not all(isinstance(card.get("name"), dict) and card["name"].get("formatted_name") for card in value):
            raise ValueError("each contact needs a 'name' with a 'formatted_name'")
        return value


class ReadReceipt(RequestModel):
    """How a message is shown as read."""

    typing: bool = Field(default=False, description="Show the user for up to 25 seconds that somebody writes.")


class OutboundError(BaseModel):
    """Why a message failed. `code`, `title` and `details` are Meta's; without a code the reason is ours."""

    code: int | None
    title: str
    details: str | None


class OutboundMessage(BaseModel):
    """A message of ours."""

    id: str
    conversation_id: str
    wamid: str | None
    status: str = Field(description="`queued`, `sending`, `sent`, `delivered`, `read` or `failed`.")
    type: str
    error: OutboundError | None

    @classmethod
    def of(cls, message: StoredMessage) -> Self:
        """As the API shows `message`."""
        error = message.error
        return cls(
            id=message.id,
            conversation_id=message.conversation_id,
            wamid=message.wamid,
            status=str(message.status),
            type=message.type,
            error=OutboundError(code=error.code, title=error.title, details=error.details) if error else None,
        )


class MessageDetails(OutboundMessage):
    """A message of a conversation, of either side."""

    direction: Literal["inbound", "outbound"]
    text: str | None
    created_at: str

    @classmethod
    def of(cls, message: StoredMessage) -> Self:
        """As the API shows `message`."""
        shown = OutboundMessage.of(message).model_dump()
        direction = "inbound" if message.is_inbound else "outbound"
        return cls(**shown, direction=direction, text=message.text, created_at=iso(message.created))


class MessageContact(BaseModel):
    """The recipient as it was given, and as WhatsApp knows it."""

    input: str
    wa_id: str | None
    user_id: str | None


class SendResult(BaseModel):
    """Messages that went out or, with status 202, are on their way: `wamid` is the first one's, if it is known yet."""

    wamid: str | None
    wamids: list[str]
    contacts: list[MessageContact]
    messages: list[OutboundMessage]


class ReadResult(BaseModel):
    """The message is shown as read."""

    success: Literal[True] = True
