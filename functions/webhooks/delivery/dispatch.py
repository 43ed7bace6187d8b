"""Dispatch: processes the job of an attempt, from the read of its records to the record of its outcome.

The attempt is recorded before the next job is sent, and the record says when the next attempt is due. So when a
process dies, at any step, SQS redelivers the job or the scheduler finds the delivery: an attempt may be made twice, but
is never lost.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from callmissed.aws.queues import MAX_DELAY_SECONDS, Sending
from callmissed.clock import SECOND, Clock, Micros
from callmissed.events.outbox import Event
from functions.webhooks.delivery.attempts import Attempting, AttemptOutcome
from functions.webhooks.delivery.circuit_breaker import CircuitBreaker
from functions.webhooks.delivery.jobs import AttemptJob, ParkedJob
from functions.webhooks.delivery.parking import STOPPED_INTERVAL, Parking
from functions.webhooks.delivery.schedule import wait_after
from functions.webhooks.storage.records import LOST_AFTER, Attempt, Delivery, DisabledReason, State, Webhook
from functions.webhooks.storage.repository import AttemptContext, Repository

_SKEW = 10 * SECOND


class Dispatcher:
    """Processes jobs of attempts. Every method raises Unavailable or QueueUnavailable; SQS must redeliver the job."""

    def __init__(
        self,
        repository: Repository,
        queue: Sending,
        attempts: Attempting,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._repository = repository
        self._deliveries = repository.deliveries
        self._queue = queue
        self._attempts = attempts
        self._clock = clock
        self._jitter = jitter
        self._breaker = CircuitBreaker(repository)
        self.parking = Parking(repository, queue, clock)

    async def process(self, job: AttemptJob, *, redelivered: bool = False) -> None:
        """Attempt the delivery, if it still needs this attempt."""
        context = await self._repository.attempt_context(job.endpoint, job.delivery_id, job.event_id)
        delivery, now = context.delivery, self._clock()
        if not delivery:
            return
        if delivery.state is State.PARKED:
            # The process that parked it may have been too slow: the mark may have been removed.
            await self.parking.mark_parked(job.endpoint, now)
        if delivery.state is not State.PENDING:
            return
        if delivery.attempts != job.attempts:
            if redelivered:
                await self._enqueue_next(delivery, now)
            return
        if (delivery.next_attempt_at or 0) <= now + _SKEW:
            await self._attempt_or_park(context, delivery, now)

    async def _attempt_or_park(self, context: AttemptContext, delivery: Delivery, now: Micros) -> None:
        webhook, event = context.webhook, context.event
        if not webhook or not event:
            error = "The webhook was deleted." if event else "The event has expired."
            await self._deliveries.give_up(delivery, error, self._clock())
        elif context.is_stopped:
            await self.parking.park(delivery, Micros(now + STOPPED_INTERVAL))
        elif not webhook.active:
            await self.parking.park(delivery, now)
        elif webhook.open_until is not None and not await self._breaker.may_probe(webhook, now):
            await self.parking.park(delivery, webhook.open_until)
        else:
            await self._attempt(webhook, delivery, event, now)

    async def _attempt(self, webhook: Webhook, delivery: Delivery, event: Event, now: Micros) -> None:
        outcome = await self._attempts.make(
            webhook, delivery_id=delivery.id, event_type=event.type, body=event.body, now=now
        )
        await self._deliveries.put_attempt(delivery, _record(delivery, outcome))
        if outcome.delivered:
            await self._delivered(webhook, delivery, outcome)
        else:
            await self._failed(webhook, delivery, outcome)

    async def _delivered(self, webhook: Webhook, delivery: Delivery, outcome: AttemptOutcome) -> None:
        await self._deliveries.record_success(delivery, outcome.status, self._clock())
        if await self._breaker.record_success(webhook):
            await self._queue.send([ParkedJob(webhook.endpoint).message()])

    async def _failed(self, webhook: Webhook, delivery: Delivery, outcome: AttemptOutcome) -> None:
        now = self._clock()
        open_until = await self._count_failure(webhook, outcome, now)
        made = delivery.attempts + 1 - (delivery.attempts_before_recovery or 0)
        wait = wait_after(made, self._jitter(), outcome.wait)
        if outcome.gone or wait is None:
            await self._deliveries.record_failure(delivery, outcome.status, outcome.error, now)
        else:
            await self._retry(delivery, outcome, now, wait)
        if open_until:
            seconds = min(MAX_DELAY_SECONDS, _seconds(open_until - now) + 1)
            await self._queue.send([ParkedJob(webhook.endpoint).message(seconds)])

    async def _count_failure(self, webhook: Webhook, outcome: AttemptOutcome, now: Micros) -> Micros | None:
        """The moment until which this failure opened the circuit breaker."""
        if not outcome.gone:
            return await self._breaker.record_failure(webhook.endpoint, now)
        await self._breaker.disable(webhook, DisabledReason.GONE, now)
        return None

    async def _retry(self, delivery: Delivery, outcome: AttemptOutcome, now: Micros, wait: int) -> None:
        after = replace(
            delivery,
            attempts=delivery.attempts + 1,
            next_attempt_at=now + wait,
            error=outcome.error,
            status_code=outcome.status or delivery.status_code,
        )
        if await self._deliveries.record_retry(delivery, after, _due_at(now, wait)):
            await self._enqueue_next(after, now)

    async def _enqueue_next(self, delivery: Delivery, now: Micros) -> None:
        """Enqueue the next attempt if its delay fits the queue's limit; else the scheduler does."""
        next_attempt_at = now if delivery.next_attempt_at is None else delivery.next_attempt_at
        seconds = max(0, _seconds(next_attempt_at - now))
        if seconds <= MAX_DELAY_SECONDS:
            await self._queue.send([AttemptJob.of(delivery).message(seconds)])


def _due_at(now: Micros, wait: int) -> Micros:
    """When the scheduler enqueues the next attempt. For a queued job this is the fallback if the job is lost."""
    return Micros(now + wait + (LOST_AFTER if wait <= MAX_DELAY_SECONDS * SECOND else 0))


def _seconds(micros: int) -> int:
    return -(-micros // SECOND)


def _record(delivery: Delivery, outcome: AttemptOutcome) -> Attempt:
    return Attempt(
        number=delivery.attempts + 1,
        at=outcome.at,
        status_code=outcome.status,
        latency_ms=outcome.latency_ms,
        error=outcome.error,
        response_body=outcome.answer.decode(errors="replace"),
        truncated=outcome.truncated,
    )
