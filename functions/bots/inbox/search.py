"""Full-text search: messages that have all words of a query, newest first.

A tenant's messages with one word are a sorted list. Those with all words are where the lists meet: each list is asked
for its newest entry that is not newer than the oldest entry of the others, so that lists skip what others do not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.aws.comparisons import at_most
from callmissed.aws.database import Database
from callmissed.platform.tables import WORDS
from functions.bots.conversations.messages import StoredMessage
from functions.bots.conversations.words import word_key, words_of
from functions.bots.inbox.cursors import before, cursor_at, position_of
from functions.bots.inbox.errors import unprocessable
from functions.bots.inbox.repository import LAST, InboxRepository
from functions.bots.inbox.service import Inbox

MAX_QUERY_WORDS = 10
MAX_PAGES = 40
"""Maximum pages of the index, or of a conversation's messages, that one request reads."""

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class FoundMessages:
    """Messages, newest first; `cursor` is None when there are no more."""

    messages: Sequence[StoredMessage]
    cursor: str | None


class MessageSearch:
    """Searches the messages of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: InboxRepository, inbox: Inbox) -> None:
        self._repository = repository
        self._inbox = inbox

    async def find(
        self, tenant: str, text: str, conversation_id: str | None, limit: int, cursor: str | None
    ) -> FoundMessages:
        """At most `limit` messages after `cursor`. Raises ApiError 404 for the conversation, 422."""
        words = _checked_words(text)
        query = (tenant, "search", conversation_id or "", *sorted(words))
        position = None if cursor is None else position_of(cursor, *query)
        if conversation_id is None:
            found, position = await self._everywhere(tenant, words, limit, position or LAST)
        else:
            found, position = await self._within(tenant, conversation_id, words, limit, position)
        return FoundMessages(found, None if position is None else cursor_at(position, *query))

    async def _everywhere(
        self, tenant: str, words: Sequence[str], limit: int, position: str
    ) -> tuple[Sequence[StoredMessage], str | None]:
        """Messages that are not newer than `position`, and the position of those after them."""
        lists = [_WordEntries(self._repository.database, word_key(tenant, word)) for word in words]
        keys = list[str]()
        upper: str | None = position
        while upper is not None and len(keys) < limit and sum(each.pages for each in lists) < MAX_PAGES:
            newest = [await each.newest(upper) for each in lists]
            lowest = _lowest(newest)
            if lowest is not None and set(newest) == {lowest}:
                keys.append(lowest)
                lowest = before(lowest)
            upper = lowest
        pairs = [(key.partition("#")[2], key.partition("#")[0]) for key in keys]
        return await self._repository.messages_of(tenant, pairs), upper

    async def _within(
        self, tenant: str, conversation_id: str, words: Sequence[str], limit: int, position: str | None
    ) -> tuple[Sequence[StoredMessage], str | None]:
        """Messages of the conversation that are older than the one at `position`: its own messages are read."""
        conversation = await self._inbox.get(tenant, conversation_id)
        found, wanted = list[StoredMessage](), set(words)
        for _ in range(MAX_PAGES):
            page = await self._repository.messages(conversation, position, _CHUNK)
            for message in page:
                position = message.id
                if wanted <= set(words_of(message.text or "")):
                    found.append(message)
                if len(found) == limit:
                    return found, position
            if len(page) < _CHUNK:
                return found, None
        return found, position


class _WordEntries:
    """The sorted entries of one word, read backwards page by page."""

    def __init__(self, database: Database, partition: str) -> None:
        self.pages = 0
        self._database = database
        self._partition = partition
        self._entries = list[str]()
        self._is_last = False

    async def newest(self, upper: str) -> str | None:
        """The newest entry that is not newer than `upper`; `upper` never rises."""
        self._entries = [entry for entry in self._entries if entry <= upper]
        if not self._entries and not self._is_last:
            await self._read(upper)
        return self._entries[0] if self._entries else None

    async def _read(self, upper: str) -> None:
        page = await self._database.page(
            WORDS, self._partition, sort=at_most(upper), newest_first=True, limit=_CHUNK, attributes=("message",)
        )
        self._entries, self._is_last = [item["message"] for item in page.items], page.next is None
        self.pages += 1


def _lowest(entries: Sequence[str | None]) -> str | None:
    """The lowest entry; None where a list has none, so that the lists do not meet any more."""
    known = [entry for entry in entries if entry is not None]
    return min(known) if len(known) == len(entries) else None


def _checked_words(text: str) -> list[str]:
    words = words_of(text)
    if not words:
        raise unprocessable("query", "q", "There is no word in it")
    if len(words) > MAX_QUERY_WORDS:
        raise unprocessable("query", "q", f"There are more than {MAX_QUERY_WORDS} words in it")
    return words
