"""The change feed: which conversations changed since a moment, for an inbox that keeps itself up to date.

Changes are in the index by their moment. Workers' clocks differ by seconds, and the index lags, so a change may turn up
behind one that was read before. The cursor therefore never passes what is younger than `SETTLING`: the latest changes
may be read twice, and none is missed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.clock import SECOND, Micros, micros_of
from functions.bots.conversations.records import StoredConversation, change_mark
from functions.bots.inbox.cursors import cursor_at, position_of
from functions.bots.inbox.errors import unprocessable
from functions.bots.inbox.repository import InboxRepository

SETTLING = 15 * SECOND
"""Time, in microseconds, within which a change may still turn up behind others: clocks differ by 5 s each way."""

_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChangedConversations:
    """Conversations, oldest change first, and where to go on. `has_more` says that there are more now."""

    conversations: Sequence[StoredConversation]
    cursor: str
    has_more: bool


async def changed_since(
    repository: InboxRepository, tenant: str, since: str | None, limit: int, now: Micros
) -> ChangedConversations:
    """At most `limit` conversations that changed after `since`, a cursor or a time; none without it, but a cursor.

    Raises ApiError 422 for a `since` that is neither, Unavailable.
    """
    settled = change_mark(Micros(max(0, now - SETTLING)), "")
    if since is None:
        return ChangedConversations([], _cursor(tenant, settled), has_more=False)
    found = await repository.changed_since(tenant, _position(tenant, since), limit)
    read_to = found.next or (found.conversations[-1][0] if found.conversations else settled)
    conversations = [conversation for _, conversation in found.conversations]
    return ChangedConversations(conversations, _cursor(tenant, min(read_to, settled)), found.next is not None)


def _cursor(tenant: str, position: str) -> str:
    return cursor_at(position, tenant, "changes")


def _position(tenant: str, since: str) -> str:
    if not _WRITTEN.match(since):
        return position_of(since, tenant, "changes", name="since")
    try:
        return change_mark(Micros(max(0, micros_of(since))), "")
    except (ValueError, TypeError, OverflowError):
        raise unprocessable("query", "since", "A time is written as in 2026-11-25T09:30:00Z") from None
