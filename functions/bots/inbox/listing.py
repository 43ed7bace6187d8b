"""Lists conversations page by page: filters, order and cursors."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from callmissed.clock import Micros
from functions.bots.conversations.records import Status, StoredConversation
from functions.bots.inbox.cursors import cursor_at, position_of
from functions.bots.inbox.repository import ConversationChunk, InboxRepository

MAX_READ = 1000
"""Maximum conversations that one request reads; the next page goes on after them."""

_CHUNK = 100
ASSIGNED, UNASSIGNED = "any", "none"


class Sort(StrEnum):
    """Order of a list, newest first."""

    CREATED = "created"
    LAST_ACTIVITY = "last_activity"


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """What conversations must be to be listed; None for anything. `assigned` is a person's id, `any` or `none`."""

    channel: str | None = None
    status: str | None = None
    bot_id: str | None = None
    unread: bool | None = None
    assigned: str | None = None
    label: str | None = None

    @property
    def selects_all(self) -> bool:
        """Whether it selects every conversation."""
        return self == ConversationFilter()

    def selects(self, conversation: StoredConversation, now: Micros) -> bool:
        """Whether it selects the conversation as of `now`."""
        return (
            self.channel in (None, conversation.channel)
            and (self.status is None or conversation.status_at(now) is Status(self.status))
            and self.bot_id in (None, conversation.bot_id)
            and self.unread in (None, conversation.unread > 0)
            and (self.label is None or self.label in conversation.labels)
            and self._selects_person(conversation.assigned_to)
        )

    def _selects_person(self, assigned_to: str | None) -> bool:
        if self.assigned in (ASSIGNED, UNASSIGNED):
            return (assigned_to is None) == (self.assigned == UNASSIGNED)
        return self.assigned in (None, assigned_to)


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Some conversations; `cursor` is None on the last page."""

    conversations: list[StoredConversation]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A query for a tenant's conversations. A cursor is of use only to the same query."""

    tenant: str
    wanted: ConversationFilter
    sort: Sort

    def cursor(self, position: str) -> str:
        """The cursor of what comes after `position`."""
        return cursor_at(position, *self._parts)

    def position(self, cursor: str | None) -> str | None:
        """Where the page begins. Raises ApiError 422 for a cursor of another query."""
        return None if cursor is None else position_of(cursor, *self._parts)

    @property
    def _parts(self) -> tuple[str, ...]:
        return self.tenant, "conversations", str(self.sort), repr(self.wanted)


async def list_page(
    repository: InboxRepository, query: ListQuery, limit: int, cursor: str | None, now: Micros
) -> ConversationPage:
    """At most `limit` conversations after `cursor`. Raises ApiError 422 for an invalid cursor, Unavailable."""
    read = _reading(repository, query)
    chunk = limit + 1 if query.wanted.selects_all else _CHUNK
    position, chosen, seen = query.position(cursor), list[tuple[str, StoredConversation]](), 0
    while True:
        found = await read(position, chunk)
        chosen += [each for each in found.conversations if query.wanted.selects(each[1], now)]
        position, seen = found.next, seen + chunk
        if len(chosen) > limit:
            position = chosen[limit - 1][0]
            break
        if position is None or seen >= MAX_READ:
            break
    conversations = [conversation for _, conversation in chosen[:limit]]
    return ConversationPage(conversations, None if position is None else query.cursor(position))


def _reading(
    repository: InboxRepository, query: ListQuery
) -> Callable[[str | None, int], Awaitable[ConversationChunk]]:
    read = repository.by_creation if query.sort is Sort.CREATED else repository.by_change

    async def chunk_after(position: str | None, limit: int) -> ConversationChunk:
        return await read(query.tenant, position, limit)

    return chunk_after
