"""Running replays: pages through a webhook's deliveries and enqueues those that the replay selects.

    recover   failed deliveries are attempted again under their old ids, with a new schedule
    replay    selected deliveries are sent again under new ids

After each page the replay's item records its progress, and each new id follows from the replay and the old one. So a
process may die at any step, and two may run the same replay: the process that writes a delivery enqueues it, and the
scheduler enqueues deliveries of a process that died before. No delivery is enqueued twice, and none is left out.
"""

from callmissed.aws.queues import Sending
from callmissed.clock import SECOND, Clock, Micros
from callmissed.events.types import matches
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.delivery.jobs import AttemptJob, ReplayJob
from functions.webhooks.storage.records import LOST_AFTER, Delivery, State, delivery_id
from functions.webhooks.storage.replays import DeliveryReplay, ReplayKind, ReplayState
from functions.webhooks.storage.repository import Repository

_PAGE = 100
_MAX_PAGES = 20
_MAX_RUN = 20 * SECOND
"""Several replays may be in one batch of the sender, which has a minute for all of it."""

_PAUSE_SECONDS = 1


class Replayer:
    """Runs replays. Every method raises Unavailable or QueueUnavailable; SQS must redeliver the job."""

    def __init__(self, repository: Repository, queue: Sending, clock: Clock) -> None:
        self._repository = repository
        self._queue = queue
        self._clock = clock

    async def run(self, job: ReplayJob) -> None:
        """Process some pages of the replay, and enqueue the rest. A deleted webhook ends the replay."""
        end = self._clock() + _MAX_RUN
        replays = self._repository.replays
        if not await self._repository.webhooks.get(job.endpoint):
            await replays.end(job.endpoint, job.replay_id)
            return
        for _ in range(_MAX_PAGES):
            replay = await replays.get(job.endpoint, job.replay_id)
            if not replay or replay.state is not ReplayState.RUNNING or not await self._page(replay):
                return
            if self._clock() >= end:
                break
        await self._queue.send([job.message(_PAUSE_SECONDS)])

    async def _page(self, replay: DeliveryReplay) -> bool:
        """Process one page; False when it was the last, or another process has processed it."""
        found, more = await self._repository.replays.next_deliveries(replay, _PAGE)
        selected = [delivery for delivery in found if _selects(replay, delivery)]
        jobs = await gather_limited([self._repeat(replay, delivery) for delivery in selected])
        await self._queue.send([job.message() for job in jobs if job])
        scanned, queued = replay.scanned + len(found), replay.queued + len(selected)
        if not more:
            await self._repository.replays.finish(replay, scanned=scanned, queued=queued)
            return False
        return await self._repository.replays.advance(
            replay, scanned=scanned, queued=queued, last=found[-1], due_at=Micros(self._clock() + LOST_AFTER)
        )

    async def _repeat(self, replay: DeliveryReplay, delivery: Delivery) -> AttemptJob | None:
        """The job of the delivery, or of its copy; None when another process has it."""
        due_at = self._clock() + LOST_AFTER
        if replay.kind is ReplayKind.RECOVER:
            recovered = await self._repository.deliveries.recover(delivery, Micros(due_at))
            return AttemptJob.of(delivery) if recovered else None
        copy = _copy(replay, delivery)
        return None if await self._repository.deliveries.put_new(copy, Micros(due_at)) else AttemptJob.of(copy)


def _copy(replay: DeliveryReplay, delivery: Delivery) -> Delivery:
    """A new delivery of the same event."""
    return Delivery(
        endpoint=replay.endpoint,
        id=delivery_id(replay.created_at, replay.key["item"], delivery.id),
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        created_at=delivery.created_at,
        state=State.PENDING,
        replay_of=delivery.id,
    )


def _selects(replay: DeliveryReplay, delivery: Delivery) -> bool:
    """Whether the replay selects the delivery. A copy is not replayed itself: this replay may have made it."""
    selected = delivery.state in replay.states and any(
        matches(pattern, delivery.event_type) for pattern in replay.events
    )
    return selected and (replay.kind is ReplayKind.RECOVER or delivery.replay_of is None)
