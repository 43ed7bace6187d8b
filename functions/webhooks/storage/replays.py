"""Replays: runs over a webhook's deliveries. They are items of the table `deliveries`.

    R#<replay id>   kind, created, since, until, events, states, cursor, seen, queued, state

`cursor` is text because keys are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import between
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation
from callmissed.clock import SECOND, Micros
from callmissed.events.outbox import RETENTION
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.storage.attributes import Attributes
from functions.webhooks.storage.records import INDEXED, REPLAY_PREFIX, Delivery, Endpoint, State, key_before


class ReplayKind(StrEnum):
    """Kind of a replay."""

    RECOVER = "recover"
    """Failed deliveries are attempted again under their own ids."""

    REPLAY = "replay"
    """The selected deliveries are sent again as new deliveries, which name the old ones."""


class ReplayState(StrEnum):
    """State of a replay."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReplay:
    """A run over a webhook's deliveries of events from `since` to before `until`, oldest first.

    Deliveries are selected whose type one of `events` matches and whose state is one of `states`. The run continues
    behind the sort key `cursor`; `scanned` and `queued` count deliveries.
    """

    endpoint: Endpoint
    id: str
    kind: ReplayKind
    created_at: Micros
    since: Micros
    until: Micros
    events: Sequence[str]
    states: Sequence[State]
    cursor: str
    scanned: int = 0
    queued: int = 0
    state: ReplayState = ReplayState.RUNNING

    @property
    def key(self) -> Item:
        """Key of the replay."""
        return replay_key(self.endpoint, self.id)

    @property
    def item(self) -> Item:
        """The replay as it is stored."""
        states = [state.value for state in self.states]
        ttl = (self.created_at + RETENTION) // SECOND
        return self.key | REPLAY.encode_record(self) | REPLAY.encode(states=states) | {"ttl": ttl}

    @classmethod
    def of(cls, item: Item) -> Self:
        """The replay that is stored as `item`."""
        found = REPLAY.decode(item)
        found |= {"kind": ReplayKind(found["kind"]), "state": ReplayState(found["state"])}
        found["states"] = [State(state) for state in found["states"]]
        return cls(
            endpoint=Endpoint.of_partition(item["webhook"]), id=item["item"].removeprefix(REPLAY_PREFIX), **found
        )


REPLAY = Attributes(
    kind="kind",
    created_at="created",
    since="since",
    until="until",
    events="events",
    states="states",
    cursor="cursor",
    scanned="seen",
    queued="queued",
    state="state",
)


def replay_key(endpoint: Endpoint, replay_id: str) -> Item:
    """Key of a replay."""
    return {"webhook": endpoint.partition, "item": REPLAY_PREFIX + replay_id}


def put_replay_operation(replay: DeliveryReplay, due_at: Micros) -> WriteOperation:
    """The operation that writes a new replay, which the scheduler enqueues at `due_at`."""
    return put_new_operation(DELIVERIES, replay.item | replay.endpoint.due(due_at))


class ReplayRepository:
    """The replays of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, endpoint: Endpoint, replay_id: str) -> DeliveryReplay | None:
        """The replay, strongly consistent."""
        item = await self._database.get(DELIVERIES, replay_key(endpoint, replay_id))
        return DeliveryReplay.of(item) if item else None

    async def put_new(self, replay: DeliveryReplay, due_at: Micros, audit: WriteOperation) -> bool:
        """Write the replay, which the scheduler enqueues at `due_at`, and `audit` it; False when it exists."""
        try:
            await self._database.transact([put_replay_operation(replay, due_at), audit])
        except TransactionCanceled:
            return False
        return True

    async def next_deliveries(self, replay: DeliveryReplay, limit: int) -> tuple[list[Delivery], bool]:
        """At most `limit` deliveries behind the cursor, oldest first, and whether there may be more."""
        first, last = f"{replay.cursor}!", key_before(replay.until)  # no key lies between the cursor and its "!"
        page = await self._database.page(
            DELIVERIES, replay.endpoint.partition, sort=between(first, last), consistent=True, limit=limit
        )
        return [Delivery.of(item) for item in page.items], page.next is not None

    async def advance(
        self, replay: DeliveryReplay, *, scanned: int, queued: int, last: Delivery, due_at: Micros
    ) -> bool:
        """Record progress up to the delivery `last`; False when another process has recorded it."""
        progress = REPLAY.encode(scanned=scanned, queued=queued, cursor=last.key["item"])
        return await self._database.update_if(
            DELIVERIES, replay.key, set=progress | replay.endpoint.due(due_at), expected=_unchanged(replay)
        )

    async def finish(self, replay: DeliveryReplay, *, scanned: int, queued: int) -> bool:
        """Record the end of the run; False when another process has recorded progress."""
        progress = REPLAY.encode(scanned=scanned, queued=queued, state=ReplayState.DONE)
        return await self._database.update_if(
            DELIVERIES, replay.key, set=progress, remove=INDEXED, expected=_unchanged(replay)
        )

    async def end(self, endpoint: Endpoint, replay_id: str) -> None:
        """Record that a running replay was stopped."""
        await self._database.update_if(
            DELIVERIES,
            replay_key(endpoint, replay_id),
            set=REPLAY.encode(state=ReplayState.DONE),
            remove=INDEXED,
            expected=REPLAY.encode(state=ReplayState.RUNNING),
        )


def _unchanged(replay: DeliveryReplay) -> Item:
    return REPLAY.encode(state=ReplayState.RUNNING, scanned=replay.scanned)
