"""Messages and statuses as callbacks of WhatsApp have them, read without trust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.clock import Micros
from callmissed.events.types import MessageError
from functions.bots.conversations.records import EndUser

OF_EARLIER_ONES = frozenset({"reaction", "system", "edit", "revoke", "request_welcome"})
"""Types of messages about an earlier message, or about the chat: they open no conversation, and no bot answers them."""

_CHANGES = frozenset({"edit", "revoke"})


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message of an end user; an `is_echo` one is a colleague's to the end user, from the WhatsApp Business app.

    `sent` is Meta's time, None where it has none.

    `text` is what the end user wrote or chose; `content` the rest as Meta sent it. `renamed` are the names that the end
    user has from now on, where the message is WhatsApp's own and says so.
    """

    wamid: str
    user: EndUser
    type: str
    text: str | None
    content: Mapping[str, Any]
    sent: Micros | None = None
    reply_to: str | None = None
    media: Mapping[str, Any] | None = None
    renamed: EndUser | None = None
    is_in_group: bool = False
    is_echo: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What the end user's items are named by, before and after the message."""
        return tuple(dict.fromkeys((*self.user.keys, *(self.renamed.keys if self.renamed else ()))))

    @property
    def is_for_bot(self) -> bool:
        """Whether a bot answers it."""
        says = bool(self.text) and self.opens_conversation and self.type != "unsupported"
        return says and not self.is_echo

    @property
    def opens_conversation(self) -> bool:
        """Whether somebody said something, which may begin a conversation."""
        return self.type not in OF_EARLIER_ONES

    @property
    def changes_earlier_one(self) -> bool:
        """Whether it only edits or deletes an earlier message."""
        return self.type in _CHANGES


@dataclass(frozen=True, slots=True)
class ReceivedStatus:
    """A status of a message that went out from a number. `unique` differs between all statuses.

    `ours` is the `biz_opaque_callback_data` that the message was sent with.
    """

    wamid: str
    status: str
    unique: str
    recipient: EndUser
    errors: Sequence[MessageError]
    content: Mapping[str, Any]
    ours: str | None = None


Part = ReceivedMessage | ReceivedStatus
