"""Replays: runs over a webhook's past deliveries. This module starts and reads them; `runner` runs them.

Both kinds go through the deliveries of a time range, oldest first:

    recover   the webhook is activated, and failed deliveries are queued under their own ids
    replay    the selected deliveries are sent again, as new deliveries that name the old ones
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.queues import Sending
from callmissed.clock import Micros, iso
from callmissed.idempotency.operation import Operation
from functions.webhooks.deliveries.errors import webhook_inactive
from functions.webhooks.deliveries.time_range import TimeRange
from functions.webhooks.delivery.enqueue import SAFETY_DELAY, enqueue_best_effort
from functions.webhooks.delivery.jobs import ReplayJob
from functions.webhooks.replays.errors import replay_not_found
from functions.webhooks.storage.errors import AlreadyExists
from functions.webhooks.storage.records import Endpoint, State, Webhook, WebhookStatus, key_before
from functions.webhooks.storage.replays import DeliveryReplay, ReplayKind
from functions.webhooks.storage.repository import Repository
from functions.webhooks.subscriptions.audit import webhook_event
from functions.webhooks.subscriptions.service import Subscriptions, WebhookChange

_ID = re.compile(r"rpl_[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class ReplaySelection:
    """Deliveries of a time range whose type one of `events` matches and whose state is one of `states`."""

    time_range: TimeRange
    events: Sequence[str] = ("*",)
    states: Sequence[State] = tuple(State)


class Replays:
    """The replays of one stage. Every method raises Unavailable when DynamoDB does not answer.

    A second start with the same `operation` has no effect.
    """

    def __init__(self, repository: Repository, queue: Sending, subscriptions: Subscriptions) -> None:
        self._replays = repository.replays
        self._queue = queue
        self._subscriptions = subscriptions

    async def recover(
        self, endpoint: Endpoint, time_range: TimeRange, actor: Actor, now: Micros, operation: Operation
    ) -> DeliveryReplay:
        """Activate the webhook, send what is parked, and start to queue again the failed deliveries of the time range.

        In one transaction. Raises ApiError 404, 409.
        """
        selection = ReplaySelection(time_range, states=[State.FAILED])
        replay = _new_replay(endpoint, ReplayKind.RECOVER, selection, now, operation)

        def activate(webhook: Webhook) -> WebhookChange:
            return WebhookChange(
                replace(webhook, active=True),
                _audit("recover", replay, actor),
                resumed=True,
                replay=(replay, Micros(now + SAFETY_DELAY)),
            )

        try:
            await self._subscriptions.change(endpoint, activate, now)
        except AlreadyExists:
            return await self._stored(endpoint, replay.id)
        await enqueue_best_effort(self._queue, ReplayJob(endpoint, replay.id).message())
        return replay

    async def start(
        self, endpoint: Endpoint, selection: ReplaySelection, actor: Actor, now: Micros, operation: Operation
    ) -> DeliveryReplay:
        """Start to send the selected deliveries again. Raises ApiError 400 for a webhook that is not active, 404."""
        webhook = await self._subscriptions.get(endpoint)
        if webhook.status is not WebhookStatus.ACTIVE:
            raise webhook_inactive()
        replay = _new_replay(endpoint, ReplayKind.REPLAY, selection, now, operation)
        audit = audit_operation(_audit("replay", replay, actor), now)
        if not await self._replays.put_new(replay, Micros(now + SAFETY_DELAY), audit):
            return await self._stored(endpoint, replay.id)
        await enqueue_best_effort(self._queue, ReplayJob(endpoint, replay.id).message())
        return replay

    async def get(self, endpoint: Endpoint, id: str) -> DeliveryReplay:
        """The replay and its progress. Raises ApiError 404."""
        await self._subscriptions.get(endpoint)
        if not _ID.fullmatch(id):
            raise replay_not_found()
        return await self._stored(endpoint, id)

    async def _stored(self, endpoint: Endpoint, id: str) -> DeliveryReplay:
        found = await self._replays.get(endpoint, id)
        if not found:
            raise replay_not_found()
        return found


def _audit(action: str, replay: DeliveryReplay, actor: Actor) -> AuditEvent:
    metadata = {"replay_id": replay.id, "since": iso(replay.since), "until": iso(replay.until)}
    return webhook_event(action, replay.endpoint, actor, metadata)


def _new_replay(
    endpoint: Endpoint, kind: ReplayKind, selection: ReplaySelection, now: Micros, operation: Operation
) -> DeliveryReplay:
    return DeliveryReplay(
        endpoint=endpoint,
        id=operation.new_id("rpl"),
        kind=kind,
        created_at=now,
        since=selection.time_range.since,
        until=selection.time_range.until,
        events=list(selection.events),
        states=list(selection.states),
        cursor=key_before(selection.time_range.since),
    )
