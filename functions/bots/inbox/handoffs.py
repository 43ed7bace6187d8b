"""The hand-off queue: conversations that wait for a person, or have one."""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.audit.events import Actor
from callmissed.clock import Micros
from functions.bots.conversations.records import Status, StoredConversation
from functions.bots.inbox.changes import InboxChanges
from functions.bots.inbox.cursors import cursor_at, position_of
from functions.bots.inbox.errors import handoff_not_found
from functions.bots.inbox.listing import ConversationFilter
from functions.bots.inbox.repository import InboxRepository, QueueEntry
from functions.bots.inbox.service import Inbox

MAX_COUNTED = 1000
"""Maximum entries that one request reads."""

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Handoff:
    """A conversation in the queue, with why and since when."""

    entry: QueueEntry
    conversation: StoredConversation


@dataclass(frozen=True, slots=True)
class HandoffPage:
    """Some hand-offs; `cursor` is None on the last page."""

    handoffs: Sequence[Handoff]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class HandoffCount:
    """How many wait. `is_minimum` says that there are more than one request counts."""

    count: int
    unassigned: int
    is_minimum: bool


class Handoffs:
    """The hand-off queues of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: InboxRepository, inbox: Inbox, changes: InboxChanges) -> None:
        self._repository = repository
        self._inbox = inbox
        self._changes = changes

    async def page(self, tenant: str, assigned: str | None, limit: int, cursor: str | None, now: Micros) -> HandoffPage:
        """At most `limit` hand-offs after `cursor`, longest waiting first. Raises ApiError 422 for a wrong cursor."""
        query = (tenant, "handoffs", repr(assigned))
        position = None if cursor is None else position_of(cursor, *query)
        wanted, chosen, seen = ConversationFilter(assigned=assigned), list[Handoff](), 0
        while True:
            entries, position = await self._repository.queue_entries(tenant, position, _CHUNK)
            chosen += [each for each in await self._waiting(tenant, entries, now) if _selects(wanted, each, now)]
            seen += _CHUNK
            if len(chosen) > limit:
                position = chosen[limit - 1].entry.key
                break
            if position is None or seen >= MAX_COUNTED:
                break
        return HandoffPage(chosen[:limit], None if position is None else cursor_at(position, *query))

    async def count(self, tenant: str, now: Micros) -> HandoffCount:
        """How many conversations are in the queue."""
        found, position, seen = list[Handoff](), None, 0
        while True:
            entries, position = await self._repository.queue_entries(tenant, position, _CHUNK)
            found += await self._waiting(tenant, entries, now)
            seen += _CHUNK
            if position is None or seen >= MAX_COUNTED:
                break
        unassigned = sum(each.conversation.assigned_to is None for each in found)
        return HandoffCount(len(found), unassigned, position is not None)

    async def assign(
        self, tenant: str, conversation_id: str, user_id: str, actor: Actor, now: Micros
    ) -> StoredConversation:
        """The conversation, which the person takes over. Raises ApiError 404 unless it is in the queue, 409, 422."""
        await self._check_waiting(tenant, conversation_id, now)
        return await self._changes.assign(tenant, conversation_id, user_id, actor, now, field="user_id")

    async def resolve(
        self, tenant: str, conversation_id: str, *, complete: bool, actor: Actor, now: Micros
    ) -> StoredConversation:
        """The conversation, handed back to the bot or completed. Raises ApiError 404 unless it is in the queue, 409."""
        await self._check_waiting(tenant, conversation_id, now)
        if complete:
            return await self._changes.set_status(tenant, conversation_id, Status.COMPLETED, actor, now)
        return await self._changes.set_autoreply(tenant, conversation_id, enabled=True, actor=actor, now=now)

    async def _waiting(self, tenant: str, entries: Sequence[QueueEntry], now: Micros) -> list[Handoff]:
        """Those entries whose conversations still wait: after a day's silence nobody does."""
        found = await self._repository.of_ids(tenant, [each.conversation_id for each in entries])
        by_id = {conversation.id: conversation for conversation in found}
        both = [Handoff(each, by_id[each.conversation_id]) for each in entries if each.conversation_id in by_id]
        return [each for each in both if _waits(each.conversation, now) and each.conversation.handoff == each.entry.key]

    async def _check_waiting(self, tenant: str, conversation_id: str, now: Micros) -> None:
        if not _waits(await self._inbox.get(tenant, conversation_id), now):
            raise handoff_not_found()


def _waits(conversation: StoredConversation, now: Micros) -> bool:
    return conversation.handoff is not None and conversation.status_at(now).is_open


def _selects(wanted: ConversationFilter, handoff: Handoff, now: Micros) -> bool:
    return wanted.selects(handoff.conversation, now)
