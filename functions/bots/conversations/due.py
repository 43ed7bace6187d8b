"""What is due: conversations that wait for work, and end users whose conversation may be over.

The index `due` holds two kinds of items. A conversation that waits for a turn, or for a message's outcome, has a job on
the queue already; one that is overdue by a minute gets another, in case that job was lost. An end user's item is due a
day after a conversation began: a silent conversation is completed then, and another one is looked at again a day after
its last activity.
"""

import asyncio
from collections.abc import Awaitable, Callable

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import at_most
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import update_operation
from callmissed.aws.queues import Message, Sending
from callmissed.clock import MINUTE, SECOND, Clock, Micros, system_clock
from callmissed.platform.tables import CONVERSATIONS, DUE_CONVERSATIONS
from functions.bots.conversations.completion import completion_operations
from functions.bots.conversations.jobs import TurnJob
from functions.bots.conversations.records import (
    CONVERSATION,
    HOUR,
    SHARDS,
    WINDOW_HOURS,
    StoredConversation,
    conversation_key,
    conversation_of,
    due_text,
)

_OVERDUE = MINUTE
_PAGE = 250
_CONCURRENT = 20
_MAX_RUN = 40 * SECOND
"""Lambda ends a run after 55 seconds."""


class DueConversations:
    """Sees to what is due in one stage. Raises Unavailable or QueueUnavailable; the next run sees to the rest."""

    def __init__(self, database: Database, jobs: Sending, clock: Clock = system_clock) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock

    async def process(self, now: Micros) -> int:
        """Send jobs for what is overdue at `now`, and complete what is silent; returns the number of both."""
        end = Micros(self._clock() + _MAX_RUN)
        shards = [self._process_shard(str(shard), now, end) for shard in range(SHARDS)]
        return sum(await asyncio.gather(*shards))

    async def _process_shard(self, shard: str, now: Micros, end: Micros) -> int:
        done, start = 0, None
        sort = at_most(due_text(Micros(now - _OVERDUE)))
        while True:
            page = await self._database.page(
                CONVERSATIONS, shard, index=DUE_CONVERSATIONS, sort=sort, limit=_PAGE, start=start
            )
            jobs = [job for item in page.items if (job := _job_of(item))]
            await self._jobs.send(jobs)
            users = [item for item in page.items if not item["item"].startswith(CONVERSATION)]
            done += len(jobs) + sum(await _limited([self._completing(item, now) for item in users]))
            start = page.next
            if not start or self._clock() >= end:
                return done

    def _completing(self, found: Item, now: Micros) -> Callable[[], Awaitable[bool]]:
        async def complete() -> bool:
            return await self._complete(found, now)

        return complete

    async def _complete(self, found: Item, now: Micros) -> bool:
        """Complete the end user's conversation if it is silent; False if it is not, or changed meanwhile."""
        key = {"tenant": found["tenant"], "item": found["item"]}
        user = await self._database.get(CONVERSATIONS, key)
        if user.get("due") != found["due"]:
            return False
        item = await self._database.get(CONVERSATIONS, conversation_key(found["tenant"], user["conversation_id"]))
        conversation = conversation_of(item) if item else None
        expected = {"due": found["due"], "conversation_id": user["conversation_id"]}
        if conversation and conversation.is_open and conversation.status_at(now).is_open:
            later = due_text(silent_at(conversation))
            return await self._database.update_if(CONVERSATIONS, key, set={"due": later}, expected=expected)
        forget = update_operation(CONVERSATIONS, key, remove=("due", "shard"), expected=expected)
        completed = completion_operations(conversation, now) if conversation and conversation.is_open else []
        try:
            await self._database.transact([*completed, forget])
        except TransactionCanceled:
            return False
        return True


def silent_at(conversation: StoredConversation) -> Micros:
    """When an open conversation is over, if nothing comes before."""
    return Micros(conversation.last_activity + WINDOW_HOURS * HOUR)


def _job_of(item: Item) -> Message | None:
    if not item["item"].startswith(CONVERSATION):
        return None
    return TurnJob(item["tenant"], item["item"].removeprefix(CONVERSATION)).message()


async def _limited(works: list[Callable[[], Awaitable[bool]]]) -> list[bool]:
    """Results of `works`, of which some run at a time."""
    gate = asyncio.Semaphore(_CONCURRENT)

    async def gated(work: Callable[[], Awaitable[bool]]) -> bool:
        async with gate:
            return await work()

    return list(await asyncio.gather(*map(gated, works)))
