"""Parked deliveries: those of an endpoint that does not answer, of a webhook that is paused, or of a
tenant that is not active.

A parked delivery is in no queue, only in its webhook's part of the index, and one item per webhook, the mark, says
that parked deliveries exist. Before a delivery is parked, the mark's revision is incremented: a process that dies
between the two writes leaves a mark without parked deliveries, and never a parked delivery without a mark. The mark is
removed after two checks, `_EMPTY_FOR` apart, that found no parked delivery at the same revision.
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
_CHECK_INTERVAL = MINUTE
_EMPTY_FOR = 2 * MINUTE
"""Longer than a process may take (60 s) from the new revision to the parked delivery, with clocks that are off by 5 s
each, and longer than the index lags behind the table."""

STOPPED_INTERVAL = 5 * MINUTE
"""How often the parked deliveries of a tenant that is not active are checked: it may be active again."""

_PAUSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Probe:
    """Attempt this parked delivery as a probe of its endpoint."""

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
        """Mark parked deliveries, to be checked from `until`, or from now if that is later."""
        await self._deliveries.mark_parked(endpoint, max(until, self._clock()))

    async def park(self, delivery: Delivery, until: Micros) -> None:
        """Park the delivery until its endpoint's are checked, about `until`."""
        await self.mark_parked(delivery.endpoint, until)  # first: a parked delivery without a mark is never found
        await self._deliveries.park(delivery)

    async def drain_or_probe(self, endpoint: Endpoint) -> Drain | Probe | None:
        """Action for parked deliveries: send all when the endpoint answers, one when a probe is due."""
        now = self._clock()
        parked = await self._deliveries.parked(endpoint)
        webhook = await self._repository.webhooks.get(endpoint)
        if not parked:
            return None
        if not webhook or not webhook.active:
            await self._deliveries.remove_parked(parked)
            return None
        if await self._repository.is_stopped(endpoint.tenant):
            await self._deliveries.schedule_parked(endpoint, Micros(now + STOPPED_INTERVAL))
            return None
        if webhook.open_until and webhook.open_until > now:
            await self._deliveries.schedule_parked(endpoint, webhook.open_until)
            return None
        found = await self._deliveries.oldest_parked(endpoint, _MAX_DRAINED)
        if not found:
            await self._remove_if_empty(parked, now)
            return None
        await self._deliveries.schedule_parked(endpoint, Micros(now + _CHECK_INTERVAL))
        return Probe(min(found, key=_attempts)) if webhook.open_until else Drain(endpoint, found)

    async def drain(self, drain: Drain) -> None:
        """Enqueue the deliveries, and after them those that are still parked. Raises QueueUnavailable."""
        released = await gather_limited([self.release(delivery) for delivery in drain.deliveries])
        jobs = [job.message() for job in released if job]
        await self._queue.send([*jobs, ParkedJob(drain.endpoint).message(_PAUSE_SECONDS)])

    async def release(self, delivery: IndexedDelivery) -> AttemptJob | None:
        """Make a parked delivery pending, and due if its job is lost. Returns the job; None if it was not parked."""
        released = await self._deliveries.release(delivery, Micros(self._clock() + LOST_AFTER))
        return AttemptJob.of(delivery) if released else None

    async def _remove_if_empty(self, parked: ParkedDeliveries, now: Micros) -> None:
        """Remove the mark if no delivery was parked `_EMPTY_FOR` ago either, whatever the checks in between."""
        unchanged = parked.empty_revision == parked.revision
        since = parked.empty_since if unchanged and parked.empty_since is not None else now
        if now >= since + _EMPTY_FOR:
            await self._deliveries.remove_parked(parked)
        else:
            await self._deliveries.record_empty(parked, since, Micros(since + _EMPTY_FOR))


def _attempts(delivery: IndexedDelivery) -> int:
    """Probes use the delivery with the fewest attempts: one that fails for its own reason must not block all others."""
    return delivery.attempts
