"""Reads a tenant's conversations with their messages and turns."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

from callmissed.clock import Micros
from functions.bots.conversations.messages import StoredMessage, StoredTurn
from functions.bots.conversations.records import StoredConversation
from functions.bots.inbox.errors import conversation_not_found
from functions.bots.inbox.feed import ChangedConversations, changed_since
from functions.bots.inbox.listing import ConversationFilter, ConversationPage, ListQuery, Sort, list_page
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.schemas import ConversationOut

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Texts of one page; Lambda's limit for an answer is 6 MB, in JSON within JSON."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Older(Generic[T]):
    """Entries of a thread, newest first; `next` is the id before which older ones are, None where none are."""

    entries: Sequence[T]
    next: str | None


class Inbox:
    """The conversations of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: InboxRepository) -> None:
        self._repository = repository

    async def get(self, tenant: str, conversation_id: str) -> StoredConversation:
        """The conversation. Raises ApiError 404."""
        found = await self._repository.conversation(tenant, conversation_id) if _ID.fullmatch(conversation_id) else None
        if not found:
            raise conversation_not_found()
        return found

    async def page(
        self, tenant: str, wanted: ConversationFilter, sort: Sort, limit: int, cursor: str | None, now: Micros
    ) -> ConversationPage:
        """At most `limit` conversations after `cursor`, newest first. Raises ApiError 422 for an invalid cursor."""
        return await list_page(self._repository, ListQuery(tenant, wanted, sort), limit, cursor, now)

    async def changed_since(self, tenant: str, since: str | None, limit: int, now: Micros) -> ChangedConversations:
        """At most `limit` conversations that changed after `since`. Raises ApiError 422."""
        return await changed_since(self._repository, tenant, since, limit, now)

    async def messages(
        self, tenant: str, conversation_id: str, limit: int, before_id: str | None
    ) -> Older[StoredMessage]:
        """At most `limit` messages that are older than `before_id`, fewer long ones. Raises ApiError 404."""
        conversation = await self.get(tenant, conversation_id)
        found = await self._repository.messages(conversation, before_id, limit + 1)
        shown = found[: _fitting(found[:limit])]
        return Older(shown, shown[-1].id if len(found) > len(shown) else None)

    async def turns(self, tenant: str, conversation_id: str, limit: int, before_id: str | None) -> Older[StoredTurn]:
        """At most `limit` turns that are older than `before_id`. Raises ApiError 404."""
        conversation = await self.get(tenant, conversation_id)
        found = await self._repository.turns(conversation, before_id, limit + 1)
        return Older(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def shown(self, conversations: Sequence[StoredConversation], now: Micros) -> list[ConversationOut]:
        """Conversations of one tenant as the API shows them, with their bots' names."""
        if not conversations:
            return []
        tenant = conversations[0].tenant
        names = await self._repository.bot_names(tenant, (each.bot_id for each in conversations))
        return [ConversationOut.of(each, names.get(each.bot_id or ""), now) for each in conversations]

    async def shown_one(self, conversation: StoredConversation, now: Micros) -> ConversationOut:
        """The conversation as the API shows it."""
        (shown,) = await self.shown([conversation], now)
        return shown


def _fitting(messages: Sequence[StoredMessage]) -> int:
    """How many of `messages`, from the first on, fit into a page; at least one, if there is one."""
    sizes = accumulate(len(json.dumps([each.text, each.content], ensure_ascii=False).encode()) for each in messages)
    return max(1, sum(size <= _MAX_PAGE_BYTES for size in sizes))
