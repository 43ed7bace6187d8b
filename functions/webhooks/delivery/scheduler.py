"""The scheduler: each minute it enqueues what is due. A job that is lost is enqueued again after `LOST_AFTER`."""

from callmissed.aws.queues import Sending
from callmissed.clock import SECOND, Clock, Micros, system_clock
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.delivery.jobs import of_due
from functions.webhooks.storage.records import LOST_AFTER, SHARDS
from functions.webhooks.storage.repository import Repository

_PAGE = 250
_MAX_RUN = 40 * SECOND
"""Lambda ends a run after 55 seconds; an item that was claimed and not enqueued by then would wait for `LOST_AFTER`."""


class Scheduler:
    """Enqueues what is due. Raises Unavailable or QueueUnavailable; the next run enqueues the rest."""

    def __init__(self, repository: Repository, queue: Sending, clock: Clock = system_clock) -> None:
        self._due = repository.due
        self._queue = queue
        self._clock = clock

    async def enqueue_due(self, now: Micros) -> int:
        """Enqueue what is due at `now`, within the time limit; returns the number of jobs."""
        end = Micros(self._clock() + _MAX_RUN)
        return sum(await gather_limited([self._enqueue_shard(shard, now, end) for shard in range(SHARDS)]))

    async def _enqueue_shard(self, shard: int, now: Micros, end: Micros) -> int:
        enqueued, more = 0, None
        while True:
            found, more = await self._due.page(shard, now, more, _PAGE)
            claimed = await gather_limited([self._due.claim(due, Micros(now + LOST_AFTER)) for due in found])
            jobs = [of_due(due).message() for due, won in zip(found, claimed, strict=True) if won]
            await self._queue.send(jobs)
            enqueued += len(jobs)
            if not more or self._clock() >= end:
                return enqueued
