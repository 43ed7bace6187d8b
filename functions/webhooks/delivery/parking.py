"""Parked deliveries: those of an endpoint that does not answer, or of a webhook that is paused.

A parked delivery is in no queue, only in its webhook's part of the index, and one item marks that there are some.
Before a delivery is parked, the mark's revision moves on: a process that dies between the two writes leaves a mark
without parked deliveries, and never a parked delivery without a mark. The mark is removed when no parked delivery was
found twice, `_EMPTY_FOR` apart, and the revision is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.aws.queues import Sending
from callmissed.clock import MINUTE, Clock, Micros
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.delivery.jobs import AttemptJob, ParkedJob
from functions.webhooks.storage.records import LOST_AFTER, Delivery, Endpoint, IndexedDelivery, ParkedDeliveries
from functions.webhooks.storage.repository import Repository

_MAX_DRAINED = 100
_NEXT_LOOK = MINUTE
_EMPTY_FOR = 2 * MINUTE
"""Longer than the 60 s for which a process may run that has moved the revision on and not parked yet, by clocks that
are off by 5 s each, and than the index lags behind the table."""

_PAUSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Probe:
    """Attempt this parked delivery, to see whether its endpoint answers again."""

    delivery: IndexedDelivery


@dataclass(frozen=True, slots=True)
class Drain:
    """Send these parked deliveries: their endpoint answers."""

    endpoint: Endpoint
    deliveries: Sequence[IndexedDelivery]


class Parking:
    """The parked deliveries of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: Repository, queue: Sending, clock: Clock) -> None:
        self._repository = repository
        self._deliveries = repository.deliveries
        self._queue = queue
        self._clock = clock

    async def mark_parked(self, endpoint: Endpoint, until: Micros) -> None:
        """Let parked deliveries be looked for from `until`, or from now if that is later."""
        await self._deliveries.mark_parked(endpoint, max(until, self._clock()))

    async def park(self, delivery: Delivery, until: Micros) -> None:
        """Let the delivery wait until its endpoint's are looked for, about `until`."""
        await self.mark_parked(delivery.endpoint, until)  # first: a delivery without a mark is never looked for
        await self._deliveries.park(delivery)

    async def drain_or_probe(self, endpoint: Endpoint) -> Drain | Probe | None:
        """What to do now with parked deliveries: all in turn when the endpoint answers, one when a probe is due."""
        now = self._clock()
        parked = await self._deliveries.parked(endpoint)
        webhook = await self._repository.webhooks.get(endpoint)
        if not parked:
            return None
        if not webhook or not webhook.active:
            await self._deliveries.remove_parked(parked)
            return None
        if webhook.open_until and webhook.open_until > now:
            await self._deliveries.schedule_parked(endpoint, webhook.open_until)
            return None
        found = await self._deliveries.oldest_parked(endpoint, _MAX_DRAINED)
        if not found:
            await self._remove_if_empty(parked, now)
            return None
        await self._deliveries.schedule_parked(endpoint, Micros(now + _NEXT_LOOK))
        return Probe(min(found, key=_attempts)) if webhook.open_until else Drain(endpoint, found)

    async def drain(self, drain: Drain) -> None:
        """Enqueue the deliveries, and after them those that are still parked. Raises QueueUnavailable."""
        released = await gather_limited([self.release(delivery) for delivery in drain.deliveries])
        jobs = [job.message() for job in released if job]
        await self._queue.send([*jobs, ParkedJob(drain.endpoint).message(_PAUSE_SECONDS)])

    async def release(self, delivery: IndexedDelivery) -> AttemptJob | None:
        """The job of a parked delivery, which is pending again, and due if the job is lost; None if not parked."""
        released = await self._deliveries.release(delivery, Micros(self._clock() + LOST_AFTER))
        return AttemptJob.of(delivery) if released else None

    async def _remove_if_empty(self, parked: ParkedDeliveries, now: Micros) -> None:
        """Remove the mark if nothing was parked `_EMPTY_FOR` ago either, however often it was looked at between."""
        unchanged = parked.empty_revision == parked.revision
        since = parked.empty_since if unchanged and parked.empty_since is not None else now
        if now >= since + _EMPTY_FOR:
            await self._deliveries.remove_parked(parked)
        else:
            await self._deliveries.record_empty(parked, since, Micros(since + _EMPTY_FOR))


def _attempts(delivery: IndexedDelivery) -> int:
    """The fewer there were, the less a failure is the delivery's own fault: it should not keep all others waiting."""
    return delivery.attempts
