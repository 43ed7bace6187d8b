"""Replays: runs over a webhook's past deliveries. Here they are begun and looked at; the sender carries them out.

Both kinds go through the deliveries of events from `since` to before `until`, oldest first, and look at those whose
type one of `events` selects and whose state is one of `states`:

    recover   the webhook is active again, and what failed is queued under its own delivery id
    replay    all of them are sent again, as new deliveries that name the old one

`cursor` is the sort key behind which the run goes on; `seen` and `queued` count.
"""

import re
from collections.abc import Sequence

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import put_new_operation
from callmissed.aws.queues import Sending
from callmissed.clock import SECOND
from callmissed.events.outbox import RETENTION
from callmissed.idempotency.operation import Operation
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery import jobs
from functions.webhooks.delivery.backstop import BACKSTOP, hasten
from functions.webhooks.delivery.errors import inactive, no_such_replay
from functions.webhooks.delivery.rendering import status_of
from functions.webhooks.delivery.time_range import Span, key_before
from functions.webhooks.replays.runner import RECOVER, RUNNING
from functions.webhooks.storage.records import REPLAY, Endpoint, State, due
from functions.webhooks.subscriptions.service import Change, Subscriptions

REPEAT = "replay"

_ID = re.compile(r"rpl_[0-9a-f]{24}")
_ALL_STATES = tuple(map(str, State))


class Replays:
    """The replays of one stage. Every method raises Unavailable when DynamoDB does not answer.

    What is begun twice for the same `operation` is begun once.
    """

    def __init__(self, database: Database, dispatch: Sending, subscriptions: Subscriptions) -> None:
        self._database = database
        self._dispatch = dispatch
        self._subscriptions = subscriptions

    async def recover(self, endpoint: Endpoint, span: Span, now: int, operation: Operation) -> Item:
        """Activate the webhook, send what is parked, and begin to queue again what failed in `span`.

        All of it or nothing. Raises ApiError 404, 409.
        """
        replay = _new_replay(endpoint, RECOVER, span, ["*"], [str(State.FAILED)], now, operation)
        change = Change({"active": True}, wakes=True, further=[put_new_operation(DELIVERIES, replay)])
        try:
            await self._subscriptions.change(endpoint, lambda _webhook: change, now)
        except TransactionCanceled:
            return await self._get(replay)
        await self._hasten(endpoint, replay)
        return replay

    async def repeat(
        self,
        endpoint: Endpoint,
        span: Span,
        now: int,
        operation: Operation,
        *,
        events: Sequence[str] | None = None,
        status: str | None = None,
    ) -> Item:
        """Begin to send the deliveries of `span` again. Raises ApiError 400 for a webhook that is not active, 404."""
        if status_of(await self._subscriptions.get(endpoint)) != "active":
            raise inactive()
        states = [status] if status else list(_ALL_STATES)
        replay = _new_replay(endpoint, REPEAT, span, list(events or ["*"]), states, now, operation)
        try:
            await self._database.transact([put_new_operation(DELIVERIES, replay)])
        except TransactionCanceled:
            return await self._get(replay)
        await self._hasten(endpoint, replay)
        return replay

    async def get(self, endpoint: Endpoint, id: str) -> Item:
        """The replay and how far it is. Raises ApiError 404."""
        await self._subscriptions.get(endpoint)
        if not _ID.fullmatch(id):
            raise no_such_replay()
        return await self._get({"webhook": endpoint.partition, "item": REPLAY + id})

    async def _get(self, replay: Item) -> Item:
        key = {name: replay[name] for name in ("webhook", "item")}
        found = await self._database.get(DELIVERIES, key)
        if not found:
            raise no_such_replay()
        return found

    async def _hasten(self, endpoint: Endpoint, replay: Item) -> None:
        await hasten(self._dispatch, jobs.replay(endpoint, replay["item"].removeprefix(REPLAY)))


def _new_replay(
    endpoint: Endpoint,
    kind: str,
    span: Span,
    events: list[str],
    states: list[str],
    now: int,
    operation: Operation,
) -> Item:
    item: Item = {
        "webhook": endpoint.partition,
        "item": REPLAY + operation.new_id("rpl"),
        "kind": kind,
        "created": now,
        "since": span.since,
        "until": span.until,
        "events": events,
        "states": states,
        "cursor": key_before(span.since),
        "seen": 0,
        "queued": 0,
        "state": RUNNING,
        "ttl": (now + RETENTION) // SECOND,
    }
    return item | due(endpoint, now + BACKSTOP)
