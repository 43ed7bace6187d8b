"""Messages and turns of a conversation, and their stored forms.

Items of the table `messages`, whose partition is `<tenant>#<conversation id>`:

    MESSAGE#<id>    a message; ids sort by time
    TURN#<id>       a turn

`wamid` is the key of the index of WhatsApp's own ids: `<tenant>#<wamid>`. `content` is JSON text, because it may hold
numbers that are no integers.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros
from callmissed.ids import sortable_id
from functions.bots.conversations.records import TurnState, thread_of

MESSAGE, TURN = "MESSAGE#", "TURN#"
_MILLISECOND = 1_000
_MESSAGE_PREFIX = "msg_"


class MessageState(StrEnum):
    """Status of a message. An inbound one is `received`; the others are those of an outbound one, in their order."""

    RECEIVED = "received"
    QUEUED = "queued"
    """It waits for those before it."""
    SENDING = "sending"
    """It may have gone out; nobody sends it again."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


NOT_CONNECTED = "not_connected"
"""Title of the error of a message for which Meta could not be reached."""

DELIVERY_UNKNOWN = "delivery_unknown"
"""Title of the error of a message of which nobody knows whether it went out. A later status may settle it."""


@dataclass(frozen=True, slots=True)
class SendFailure:
    """Why a message failed. `code` is Meta's; None where the reason is ours."""

    code: int | None
    title: str
    details: str | None = None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of a conversation.

    `author` is `user`, `bot`, `key:<key id>`, `person:<user id>`, or `person` for one in the WhatsApp Business app.
    `content` is the rest of a message that a callback brought, as Meta sent it, or the body of an outbound one as Graph
    gets it, without the recipient. `media` names media by an id of ours. `turn_id` is the turn that a bot's message
    belongs to; the one that `ends_answer` is the last part of a whole answer.
    """

    tenant: str
    conversation_id: str
    id: str
    author: str
    type: str
    status: MessageState
    created: Micros
    text: str | None = None
    wamid: str | None = None
    reply_to: str | None = None
    error: SendFailure | None = None
    media: Mapping[str, Any] | None = None
    content: Mapping[str, Any] | None = None
    turn_id: str | None = None
    tokens_used: int | None = None
    ends_answer: bool = False

    @property
    def key(self) -> Item:
        """Key of the item."""
        return message_key(self.tenant, self.conversation_id, self.id)

    @property
    def is_inbound(self) -> bool:
        """Whether the end user wrote it."""
        return self.author == "user"

    @property
    def surely_failed(self) -> bool:
        """Whether Meta did not take it."""
        unknown = self.error is None or self.error.title == DELIVERY_UNKNOWN
        return self.status is MessageState.FAILED and self.wamid is None and not unknown


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn: the messages that it answers and those that it sent, and what became of it.

    `reason` says why there is no answer: such as `quota_exceeded`, `insufficient_credits`, `taken_over`.
    """

    tenant: str
    conversation_id: str
    id: str
    bot_id: str
    state: TurnState
    started: Micros
    reason: str | None = None
    finished: Micros | None = None
    answers: Sequence[str] = ()
    sent: Sequence[str] = ()

    @property
    def key(self) -> Item:
        """Key of the item."""
        return {"thread": thread_of(self.tenant, self.conversation_id), "item": TURN + self.id}


def message_key(tenant: str, conversation_id: str, message_id: str) -> Item:
    """Key of a message's item."""
    return {"thread": thread_of(tenant, conversation_id), "item": MESSAGE + message_id}


def wamid_key(tenant: str, wamid: str) -> str:
    """Value of the index's key for a message of `tenant`."""
    return f"{tenant}#{wamid}"


def inbound_id(wamid: str, sent: Micros, received: Micros) -> str:
    """Id of an inbound message, the same for every delivery of its stored callback.

    Meta says when a message was sent to the second; within it, messages are ordered as they were received.
    """
    second = sent // SECOND * SECOND
    within = min(max(received - second, 0), SECOND - _MILLISECOND)
    digest = int.from_bytes(hashlib.sha256(wamid.encode(errors="surrogatepass")).digest()[:8])
    return f"{_MESSAGE_PREFIX}{sortable_id(Micros(second + within), digest >> 4)}"


def turn_id_of(message_id: str) -> str:
    """Id of the turn that an inbound message would have begun."""
    return f"turn_{message_id.removeprefix(_MESSAGE_PREFIX)}"


def media_id(conversation_id: str, message_id: str) -> str:
    """Our id of the media of an inbound message, which names the message."""
    return f"med_{conversation_id}_{message_id.removeprefix(_MESSAGE_PREFIX)}"


def message_of_media(media: str) -> tuple[str, str] | None:
    """Ids of the conversation and the message that our id of media names; None for a text that is no such id."""
    found = re.fullmatch("med_([0-9a-f-]{36})_([0-9A-Z]{22})", media)
    return (found[1], _MESSAGE_PREFIX + found[2]) if found else None


def outbound_id(now: Micros) -> str:
    """Id of a new outbound message."""
    return f"{_MESSAGE_PREFIX}{sortable_id(now)}"


def to_message_item(message: StoredMessage) -> Item:
    """The stored form. What is None is left out."""
    values: dict[str, Any] = {
        **message.key,
        "tenant": message.tenant,
        "conversation_id": message.conversation_id,
        "id": message.id,
        "author": message.author,
        "type": message.type,
        "status": str(message.status),
        "created": message.created,
        "text": message.text,
        "wamid": wamid_key(message.tenant, message.wamid) if message.wamid else None,
        "reply_to": message.reply_to,
        "error": to_error(message.error) if message.error else None,
        "media": message.media,
        "content": None if message.content is None else json.dumps(message.content, separators=(",", ":")),
        "turn_id": message.turn_id,
        "tokens_used": message.tokens_used,
        "ends_answer": message.ends_answer or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def message_of(item: Item) -> StoredMessage:
    """The message of a stored item."""
    error = item.get("error")
    plain = ("text", "reply_to", "media", "turn_id", "tokens_used")
    return StoredMessage(
        tenant=item["tenant"],
        conversation_id=item["conversation_id"],
        id=item["id"],
        author=item["author"],
        type=item["type"],
        status=MessageState(item["status"]),
        created=Micros(item["created"]),
        wamid=item["wamid"].partition("#")[2] if "wamid" in item else None,
        error=SendFailure(error["code"], error["title"], error["details"]) if error else None,
        content=json.loads(item["content"]) if "content" in item else None,
        ends_answer=item.get("ends_answer", False),
        **{name: item.get(name) for name in plain},
    )


def to_error(error: SendFailure) -> Item:
    """The stored form of an error."""
    return {"code": error.code, "title": error.title, "details": error.details}


def to_turn_item(turn: StoredTurn) -> Item:
    """The stored form. What is None is left out."""
    values: dict[str, Any] = {
        **turn.key,
        "tenant": turn.tenant,
        "conversation_id": turn.conversation_id,
        "id": turn.id,
        "bot_id": turn.bot_id,
        "state": str(turn.state),
        "started": turn.started,
        "reason": turn.reason,
        "finished": turn.finished,
        "answers": list(turn.answers),
        "sent": list(turn.sent),
    }
    return {name: value for name, value in values.items() if value is not None}


def turn_of(item: Item) -> StoredTurn:
    """The turn of a stored item."""
    return StoredTurn(
        tenant=item["tenant"],
        conversation_id=item["conversation_id"],
        id=item["id"],
        bot_id=item["bot_id"],
        state=TurnState(item["state"]),
        started=Micros(item["started"]),
        reason=item.get("reason"),
        finished=Micros(item["finished"]) if "finished" in item else None,
        answers=tuple(item["answers"]),
        sent=tuple(item["sent"]),
    )
