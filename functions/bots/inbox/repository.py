"""Reads of conversations, messages and turns for the API.

Every method raises Unavailable when DynamoDB does not answer.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import Comparison, above, begins_with, below, between
from callmissed.aws.database import Database, KeySelection
from callmissed.clock import Micros
from callmissed.platform.tables import BOTS, CHANGED_CONVERSATIONS, CONVERSATIONS, MESSAGES
from callmissed.tenants.bots import bot_key
from functions.bots.conversations.messages import (
    MESSAGE,
    TURN,
    StoredMessage,
    StoredTurn,
    message_key,
    message_of,
    turn_of,
)
from functions.bots.conversations.records import (
    CONVERSATION,
    HANDOFF,
    StoredConversation,
    conversation_key,
    conversation_of,
    thread_of,
)
from functions.bots.inbox.cursors import before

LAST = "~"
"""Sorts after everything that ids are made of."""

_BATCH = 100
_NAMES_BATCH = 20
"""A bot's prompt is long, and is read with its name."""


@dataclass(frozen=True, slots=True)
class ConversationChunk:
    """Some conversations with their positions in an order. `next` is where the next ones begin, None after the last."""

    conversations: Sequence[tuple[str, StoredConversation]]
    next: str | None


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """An entry of the hand-off queue. `key` is its sort key."""

    key: str
    conversation_id: str
    reason: str
    created: Micros


class InboxRepository:
    """The conversations of one stage."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def conversation(self, tenant: str, conversation_id: str) -> StoredConversation | None:
        """The conversation, strongly consistent."""
        item = await self.database.get(CONVERSATIONS, conversation_key(tenant, conversation_id))
        return conversation_of(item) if item else None

    async def by_creation(self, tenant: str, position: str | None, limit: int) -> ConversationChunk:
        """At most `limit` conversations, newest first, after `position`; strongly consistent."""
        last = min(before(position), CONVERSATION + LAST) if position else CONVERSATION + LAST
        if last < CONVERSATION:
            return ConversationChunk([], None)  # callers may write cursors of their own
        sort = between(CONVERSATION, last)
        page = await self.database.page(
            CONVERSATIONS, tenant, sort=sort, newest_first=True, consistent=True, limit=limit
        )
        found = [(item["item"], conversation_of(item)) for item in page.items]
        return ConversationChunk(found, found[-1][0] if page.next and found else None)

    async def by_change(self, tenant: str, position: str | None, limit: int) -> ConversationChunk:
        """At most `limit` conversations, latest change first, after `position`."""
        return await self._changed(tenant, below(position) if position else None, limit, newest_first=True)

    async def changed_since(self, tenant: str, position: str, limit: int) -> ConversationChunk:
        """At most `limit` conversations that changed after `position`, oldest change first."""
        return await self._changed(tenant, above(position), limit, newest_first=False)

    async def of_ids(self, tenant: str, conversation_ids: Sequence[str]) -> list[StoredConversation]:
        """The existing conversations among `conversation_ids`, in their order; strongly consistent."""
        keys = [conversation_key(tenant, each) for each in conversation_ids]
        return [conversation_of(item) for item in await self._items(keys)]

    async def bot_names(self, tenant: str, bot_ids: Iterable[str | None]) -> dict[str, str]:
        """Names of the existing bots among `bot_ids`."""
        keys = [bot_key(tenant, bot_id) for bot_id in sorted({each for each in bot_ids if each})]
        names: dict[str, str] = {}
        for start in range(0, len(keys), _NAMES_BATCH):
            batch = keys[start : start + _NAMES_BATCH]
            found = await self.database.get_all(BOTS, batch, consistent=False, attributes=("tenant", "item", "name"))
            names |= {item["item"].partition("#")[2]: item["name"] for item in found}
        return names

    async def messages(
        self, conversation: StoredConversation, before_id: str | None, limit: int
    ) -> list[StoredMessage]:
        """At most `limit` messages, newest first, that are older than `before_id`; strongly consistent."""
        found = self._thread(conversation, MESSAGE, before_id, limit)
        return [message_of(item) async for item in found]

    async def turns(self, conversation: StoredConversation, before_id: str | None, limit: int) -> list[StoredTurn]:
        """At most `limit` turns, newest first, that are older than `before_id`; strongly consistent."""
        return [turn_of(item) async for item in self._thread(conversation, TURN, before_id, limit)]

    async def messages_of(self, tenant: str, ids: Sequence[tuple[str, str]]) -> list[StoredMessage]:
        """The existing messages among pairs of a conversation's id and a message's, at most 100, in their order."""
        keys = [message_key(tenant, conversation_id, message_id) for conversation_id, message_id in ids]
        found = await self.database.get_all(MESSAGES, keys) if keys else []
        return [message_of(item) for item in found]

    async def queue_entries(
        self, tenant: str, position: str | None, limit: int
    ) -> tuple[Sequence[QueueEntry], str | None]:
        """At most `limit` entries after `position`, oldest first, and where the next ones begin; None after the last.

        Strongly consistent.
        """
        first = max(position or HANDOFF, HANDOFF) + " "  # sorts right after the position
        if first > HANDOFF + LAST:
            return [], None
        page = await self.database.page(
            CONVERSATIONS, tenant, sort=between(first, HANDOFF + LAST), consistent=True, limit=limit
        )
        found = [
            QueueEntry(item["item"], item["conversation_id"], item["reason"], Micros(item["created"]))
            for item in page.items
        ]
        return found, found[-1].key if page.next and found else None

    async def _thread(
        self, conversation: StoredConversation, prefix: str, before_id: str | None, limit: int
    ) -> AsyncGenerator[Item]:
        sort = between(prefix, before(prefix + before_id)) if before_id else begins_with(prefix)
        partition = thread_of(conversation.tenant, conversation.id)
        items = self.database.query(MESSAGES, partition, sort=sort, newest_first=True, consistent=True, limit=limit)
        count = 0
        async for item in items:
            yield item
            count += 1
            if count == limit:
                return

    async def _changed(
        self, tenant: str, sort: Comparison | None, limit: int, *, newest_first: bool
    ) -> ConversationChunk:
        selected: KeySelection = {"index": CHANGED_CONVERSATIONS, "newest_first": newest_first, "limit": limit}
        if sort:
            selected["sort"] = sort
        page = await self.database.page(CONVERSATIONS, tenant, **selected)
        marks = {item["item"]: item["changed"] for item in page.items}
        items = await self._items([{"tenant": tenant, "item": key} for key in marks])
        found = [(marks[item["item"]], conversation_of(item)) for item in items]
        return ConversationChunk(found, page.items[-1]["changed"] if page.next else None)

    async def _items(self, keys: Collection[Item]) -> list[Item]:
        listed, items = list(keys), list[Item]()
        for start in range(0, len(listed), _BATCH):
            items += await self.database.get_all(CONVERSATIONS, listed[start : start + _BATCH])
        return items
