"""API models of conversations, messages and turns; docs/api/openapi.json is made from them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from callmissed.clock import Micros, iso
from callmissed.web.schemas import RequestModel
from functions.bots.conversations.messages import SendFailure, StoredMessage, StoredTurn
from functions.bots.conversations.records import LastTurn, StoredConversation, changed_at

TIME = "2026-11-25T09:30:00.000Z"
BOT_ID = "01935f6e-6f5f-7f06-9d0e-3a4be7a3c1f2"
CONVERSATION_ID = "01935f71-0b1c-7a52-8c0e-5d2be7a3c1f2"
MESSAGE_ID = "msg_01KAWXYZ00ABCDEFGHJKMN"
TURN_ID = "turn_01KAWXYZ00ABCDEFGHJKMN"
MAX_LABELS = 20

ConversationStatus = Literal["active", "escalated", "completed", "failed"]
ShownTurnState = Literal["thinking", "answered", "skipped", "failed"]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50, pattern=r"^[^\x00-\x1f]+$")
]

_REASON = "Why there is no answer, such as `quota_exceeded` or `taken_over`; null for an answer."
_LAST_TURN: dict[str, Any] = {"id": TURN_ID, "state": "answered", "reason": None}
_CONTACT: dict[str, Any] = {"name": "Asha", "wa_id": "919876543210", "user_id": "IN.13491208655302741918"}
_CONVERSATION: dict[str, Any] = {
    "id": CONVERSATION_ID,
    "tenant_id": "tnt_3f0c9b7e2d14a8c65b901e77",
    "bot_id": BOT_ID,
    "bot_name": "Orders",
    "channel": "whatsapp",
    "external_id": "919876543210",
    "contact": _CONTACT,
    "phone_number_id": "100200300400501",
    "status": "active",
    "duration_seconds": None,
    "metadata": None,
    "ai_autoreply_enabled": True,
    "opted_out": False,
    "awaits_person": False,
    "assigned_to": None,
    "labels": ["order"],
    "unread_count": 1,
    "last_read_at": None,
    "last_message_at": TIME,
    "last_turn": _LAST_TURN,
    "created_at": TIME,
    "updated_at": TIME,
}
_MESSAGE: dict[str, Any] = {
    "id": MESSAGE_ID,
    "conversation_id": CONVERSATION_ID,
    "role": "user",
    "author": {"kind": "user", "id": None},
    "content": "Where is my order?",
    "message_type": "text",
    "tokens_used": None,
    "status": "received",
    "error": None,
    "media": None,
    "payload": {"timestamp": "1795599000"},
    "wamid": "wamid.HBgMOTE5ODc2NTQzMjEwFQIAEhg",
    "reply_to": None,
    "turn_id": None,
    "created_at": TIME,
}
_HANDOFF: dict[str, Any] = {
    "conversation": _CONVERSATION | {"status": "escalated", "ai_autoreply_enabled": False, "awaits_person": True},
    "reason": "asked_for_person",
    "waiting_since": TIME,
}
_TURN: dict[str, Any] = {
    "id": TURN_ID,
    "conversation_id": CONVERSATION_ID,
    "bot_id": BOT_ID,
    "state": "answered",
    "reason": None,
    "answers": [MESSAGE_ID],
    "sent": ["msg_01KAWXZ500ABCDEFGHJKMN"],
    "started_at": TIME,
    "finished_at": "2026-11-25T09:30:02.000Z",
}


class ContactOut(BaseModel):
    """Who the end user is."""

    name: str | None = Field(description="Name that the end user gave on the channel. It is the end user's own claim.")
    wa_id: str | None = Field(description="Digits of the phone number; null where WhatsApp keeps it to itself.")
    user_id: str | None = Field(description="The business-scoped user id.")


class LastTurnOut(BaseModel):
    """The latest turn, or the latest message that began none, as a skipped turn."""

    id: str
    state: ShownTurnState
    reason: str | None = Field(description=_REASON)

    @classmethod
    def of(cls, turn: LastTurn) -> Self:
        """The turn as the API shows it."""
        return cls(id=turn.id, state=turn.state.value, reason=turn.reason)


class ConversationOut(BaseModel):
    """A conversation."""

    model_config = ConfigDict(json_schema_extra={"example": _CONVERSATION})

    id: str
    tenant_id: str
    bot_id: str | None = Field(description="Null while no bot is linked to the number.")
    bot_name: str | None = Field(description="The bot's name now; null when the bot was deleted.")
    channel: str
    external_id: str = Field(description="How the channel names the end user: the number where it is known.")
    contact: ContactOut
    phone_number_id: str = Field(description="Meta's id of the number that the end user writes to.")
    status: ConversationStatus
    duration_seconds: int | None = Field(description="From the beginning to the last message; null while it is open.")
    metadata: dict[str, Any] | None = Field(description="Null on WhatsApp.")
    ai_autoreply_enabled: bool = Field(description="False while a person answers in place of the bot.")
    opted_out: bool = Field(description="Whether the end user has asked that no bot writes.")
    awaits_person: bool = Field(description="Whether the conversation is in the hand-off queue.")
    assigned_to: str | None = Field(description="Id of the person who answers.")
    labels: list[str]
    unread_count: int = Field(description="Messages of the end user since it was last read.")
    last_read_at: str | None
    last_message_at: str = Field(description="Time of the last message, or of the reopening.")
    last_turn: LastTurnOut | None
    created_at: str
    updated_at: str = Field(description="Time of the latest change: a message, a turn, or a change by a person.")

    @classmethod
    def of(cls, conversation: StoredConversation, bot_name: str | None, now: Micros) -> Self:
        """The conversation as of `now`: after a day's silence it is completed."""
        user, status = conversation.user, conversation.status_at(now)
        return cls(
            id=conversation.id,
            tenant_id=conversation.tenant,
            bot_id=conversation.bot_id,
            bot_name=bot_name,
            channel=conversation.channel,
            external_id=user.external_id,
            contact=ContactOut(name=user.name, wa_id=user.wa_id, user_id=user.user_id),
            phone_number_id=conversation.number_id,
            status=status.value,
            duration_seconds=None if status.is_open else conversation.duration_seconds,
            metadata=None,
            ai_autoreply_enabled=conversation.autoreply,
            opted_out=conversation.opted_out,
            awaits_person=status.is_open and conversation.handoff is not None,
            assigned_to=conversation.assigned_to,
            labels=sorted(conversation.labels),
            unread_count=conversation.unread,
            last_read_at=None if conversation.last_read_at is None else iso(conversation.last_read_at),
            last_message_at=iso(conversation.last_activity),
            last_turn=LastTurnOut.of(conversation.last_turn) if conversation.last_turn else None,
            created_at=iso(conversation.created),
            updated_at=iso(changed_at(conversation.changed)),
        )


class ConversationPageOut(BaseModel):
    """Some conversations."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_CONVERSATION], "next_cursor": None}})

    data: list[ConversationOut]
    next_cursor: str | None = Field(
        description="The `cursor` of the next page; null on the last one. With a filter a page may be short, or empty, "
        "and not be the last."
    )


class ChangesOut(BaseModel):
    """Conversations that changed, oldest change first, each as it is now."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"data": [_CONVERSATION], "next_cursor": "q1w2e3r4t5y6u7i8", "has_more": False}}
    )

    data: list[ConversationOut]
    next_cursor: str = Field(description="The `since` of the next request. It is never null.")
    has_more: bool = Field(description="Whether there are more changes now.")


class AuthorOut(BaseModel):
    """Who wrote a message."""

    kind: Literal["user", "bot", "person", "key"]
    id: str | None = Field(
        description="Id of the API key, or of the person; null for one in the WhatsApp Business app."
    )

    @classmethod
    def of(cls, author: str) -> Self:
        """The author of a stored message."""
        kind, _, author_id = author.partition(":")
        return cls.model_validate({"kind": kind, "id": author_id or None})


class SendErrorOut(BaseModel):
    """Why a message failed."""

    code: int | None = Field(description="Meta's code; null where the reason is ours.")
    title: str
    details: str | None

    @classmethod
    def of(cls, error: SendFailure) -> Self:
        """The error as the API shows it."""
        return cls(code=error.code, title=error.title, details=error.details)


class ConversationMessageOut(BaseModel):
    """A message."""

    model_config = ConfigDict(json_schema_extra={"example": _MESSAGE})

    id: str
    conversation_id: str
    role: Literal["user", "assistant"] = Field(description="`user` is the end user; all others are `assistant`.")
    author: AuthorOut
    content: str | None = Field(description="The text, the caption, or the title of what was chosen.")
    message_type: str
    tokens_used: int | None
    status: Literal["received", "queued", "sending", "sent", "delivered", "read", "failed"]
    error: SendErrorOut | None
    media: dict[str, Any] | None = Field(description="`id` is for GET /api/v1/whatsapp/media/{id}.")
    payload: dict[str, Any] | None = Field(description="The rest of the message, as the channel has it.")
    wamid: str | None
    reply_to: str | None = Field(description="The wamid of the message that it answers.")
    turn_id: str | None
    created_at: str

    @classmethod
    def of(cls, message: StoredMessage) -> Self:
        """The message as the API shows it."""
        return cls(
            id=message.id,
            conversation_id=message.conversation_id,
            role="user" if message.is_inbound else "assistant",
            author=AuthorOut.of(message.author),
            content=message.text,
            message_type=message.type,
            tokens_used=message.tokens_used,
            status=message.status.value,
            error=SendErrorOut.of(message.error) if message.error else None,
            media=None if message.media is None else dict(message.media),
            payload=None if message.content is None else dict(message.content),
            wamid=message.wamid,
            reply_to=message.reply_to,
            turn_id=message.turn_id,
            created_at=iso(message.created),
        )


class MessagePageOut(BaseModel):
    """Some messages of a conversation, oldest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_MESSAGE], "next_cursor": None}})

    data: list[ConversationMessageOut]
    next_cursor: str | None = Field(description="The `before_id` of the page of older messages; null where none are.")


class FoundMessagesOut(BaseModel):
    """Some messages of all conversations, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_MESSAGE], "next_cursor": None}})

    data: list[ConversationMessageOut]
    next_cursor: str | None = Field(
        description="The `cursor` of the next page; null on the last one. A page may be short, or empty, and not be "
        "the last."
    )


class TurnOut(BaseModel):
    """A turn: what the bot answered, or why it did not."""

    model_config = ConfigDict(json_schema_extra={"example": _TURN})

    id: str = Field(description="Also the `reference` of the turn's ledger entries.")
    conversation_id: str
    bot_id: str
    state: ShownTurnState
    reason: str | None = Field(description=_REASON)
    answers: list[str] = Field(
        description="Ids of the messages that it is for. The model reads the latest 50 messages, 24,000 "
        "characters at most."
    )
    sent: list[str] = Field(description="Ids of the messages that it sent.")
    started_at: str
    finished_at: str | None

    @classmethod
    def of(cls, turn: StoredTurn) -> Self:
        """The turn as the API shows it."""
        return cls(
            id=turn.id,
            conversation_id=turn.conversation_id,
            bot_id=turn.bot_id,
            state=turn.state.value,
            reason=turn.reason,
            answers=list(turn.answers),
            sent=list(turn.sent),
            started_at=iso(turn.started),
            finished_at=None if turn.finished is None else iso(turn.finished),
        )


class TurnPageOut(BaseModel):
    """Some turns of a conversation, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_TURN], "next_cursor": None}})

    data: list[TurnOut]
    next_cursor: str | None = Field(description="The `before_id` of the page of older turns; null where none are.")


class StatusChange(RequestModel):
    """A conversation's new status."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "completed"}})

    status: ConversationStatus


class HandoffOut(BaseModel):
    """A conversation in the hand-off queue."""

    model_config = ConfigDict(json_schema_extra={"example": _HANDOFF})

    conversation: ConversationOut
    reason: str = Field(description="Why it waits, such as `asked_for_person`, `loop` or `by_person`.")
    waiting_since: str


class HandoffPageOut(BaseModel):
    """Some conversations in the hand-off queue, longest waiting first."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_HANDOFF], "next_cursor": None}})

    data: list[HandoffOut]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last one.")


class HandoffCountOut(BaseModel):
    """How many conversations are in the hand-off queue."""

    model_config = ConfigDict(json_schema_extra={"example": {"count": 3, "unassigned": 1, "is_minimum": False}})

    count: int
    unassigned: int = Field(description="Those that nobody has yet.")
    is_minimum: bool = Field(description="Whether there are more than one request counts.")


class HandoffAssignment(RequestModel):
    """Who takes the conversation."""

    model_config = ConfigDict(json_schema_extra={"example": {"user_id": "usr_3f0c9b7e2d14a8c65b901e77"}})

    user_id: str = Field(min_length=1, max_length=64, description="Id of a person of the team.")


class HandoffResolution(RequestModel):
    """How a hand-off ends."""

    model_config = ConfigDict(json_schema_extra={"example": {"complete": False}})

    complete: bool = Field(default=False, description="True completes the conversation; false lets the bot answer.")


class AutoreplySwitch(RequestModel):
    """Whether the bot answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"enabled": False}})

    enabled: bool


class ConversationChanges(RequestModel):
    """What to change of a conversation; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"example": {"labels": ["order"], "assigned_to": None}})

    labels: list[Label] | None = Field(default=None, max_length=MAX_LABELS, description="Replaces all labels.")
    assigned_to: str | None = Field(
        default=None,
        max_length=64,
        description="Id of a person of the team, who takes the conversation over; null takes the person off, and the "
        "bot stays silent until the conversation is handed back.",
    )
