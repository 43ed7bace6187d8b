"""What is to be sent, and what a bot's message depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.clock import SECOND, Micros
from functions.bots.conversations.messages import MessageState, StoredMessage
from functions.bots.conversations.records import WINDOW_HOURS, Lease, StoredConversation

_MARGIN_SECONDS = 60
"""The window closes so much earlier here, for clocks that differ from Meta's."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message of one part. `content` is Graph's body without the recipient, `text` what people read of it.

    `author` is `bot`, `person:<user id>` or `key:<key id>`; a person's message takes the conversation over.
    """

    id: str
    author: str
    content: Mapping[str, Any]
    text: str | None = None
    reply_to: str | None = None
    media: Mapping[str, Any] | None = None
    turn_id: str | None = None
    tokens_used: int | None = None
    ends_answer: bool = False

    @property
    def by_bot(self) -> bool:
        """Whether a bot wrote it."""
        return self.author == "bot"

    @property
    def takes_over(self) -> bool:
        """Whether bots stop with it."""
        return self.author.startswith("person:")

    def stored(self, conversation: StoredConversation, status: MessageState, now: Micros) -> StoredMessage:
        """The message as it is stored."""
        return StoredMessage(
            tenant=conversation.tenant,
            conversation_id=conversation.id,
            id=self.id,
            author=self.author,
            type=self.content["type"],
            status=status,
            created=now,
            text=self.text,
            reply_to=self.reply_to,
            media=self.media,
            content=self.content,
            turn_id=self.turn_id,
            tokens_used=self.tokens_used,
            ends_answer=self.ends_answer,
        )


@dataclass(frozen=True, slots=True)
class Fence:
    """What must still hold when a bot's message leaves: its worker's lease, the epoch, and the last inbound message."""

    lease: Lease
    epoch: int
    last_inbound: str | None


def window_closes(conversation: StoredConversation) -> Micros:
    """When the window closes for us, by Meta's time of the user's last message."""
    return Micros(conversation.last_inbound_at + (WINDOW_HOURS * 3600 - _MARGIN_SECONDS) * SECOND)
