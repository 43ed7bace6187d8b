"""The latest messages of a conversation, as a turn reads them. How long the history is does not matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.platform.tables import MESSAGES
from functions.bots.conversations.messages import MESSAGE, StoredMessage, message_of
from functions.bots.conversations.records import StoredConversation

MAX_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class Transcript:
    """At most `MAX_MESSAGES` messages, oldest first; those in `waiting` wait for the turn.

    These need not be the last ones: callbacks come in any order.
    """

    messages: Sequence[StoredMessage]
    waiting: frozenset[str]

    @classmethod
    async def read(cls, database: Database, conversation: StoredConversation) -> Self:
        """The latest messages of the conversation, strongly consistent, in one round trip. Raises Unavailable."""
        page = await database.page(
            MESSAGES,
            conversation.thread,
            sort=begins_with(MESSAGE),
            newest_first=True,
            consistent=True,
            limit=MAX_MESSAGES,
        )
        return cls([message_of(item) for item in reversed(page.items)], conversation.pending_ids)

    @property
    def pending(self) -> Sequence[StoredMessage]:
        """The inbound messages that wait for the turn, oldest first."""
        return [message for message in self.messages if message.id in self.waiting]

    @property
    def asked(self) -> Sequence[StoredMessage]:
        """Those of them that say something."""
        return [message for message in self.pending if has_text(message)]

    @property
    def ordered(self) -> Sequence[StoredMessage]:
        """The messages with the waiting ones last: Meta's clock may have put one before an answer of ours."""
        waiting = {message.id for message in self.pending}
        return [*(each for each in self.messages if each.id not in waiting), *self.pending]

    def of_turn(self, turn_id: str) -> Sequence[StoredMessage]:
        """The messages that the turn sent before."""
        return [message for message in self.messages if message.turn_id == turn_id]


def has_text(message: StoredMessage) -> bool:
    """Whether there is a text to answer: the message's own, a caption, or the title of a button."""
    return bool(message.text and message.text.strip())
