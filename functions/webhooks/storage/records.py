"""The items of webhooks and deliveries.

Table `webhooks`, one item a webhook:

    tenant, webhook   whose it is and its id, `wh_…`
    url, events, description, active, created_at, updated_at, rev (counts changes by its owner, and disablings)
    headers           name -> sealed value
    secrets           list of [sealed secret, last moment at which it signs]; the newest first, which has no end
    cf, ff            failed attempts since the last success, and when the first of them was
    open              the breaker: no attempt before this moment
    off               why it was disabled by us: `failing` or `gone`; absent otherwise
    off_at            when that was
    mask              what lists show of the newest secret
    rotation          the request with an Idempotency-Key that rotated last

and one item `COUNT` a tenant: n, how many webhooks it has. Whoever queries the table asks for `wh_…` only.

Table `deliveries`, all items of one webhook in the partition `<tenant>#<webhook id>`:

    D#<delivery id>        a delivery: event, type, created, state, n (attempts made), base (those before it was last
                           recovered), next, code, error, done, origin (the delivery that it replays)
    A#<delivery id>#<nnn>  one attempt: at, status, latency_ms, error, answer (first 20 KB), truncated
    LANE                   there are parked deliveries: looked at when this is due; rev counts what was parked, empty
                           is the rev at which there were none, since the moment when that was first seen
    R#<replay id>          a replay: kind, created, since, until, events, states, cursor, seen, queued, state

`shard` and `due` put an item into the index: a number as `shard` into what the timer starts when it is `due`, the
partition's name into what is parked for its webhook, in the order of `due`, which is the item then. Moments are epoch
microseconds; `due` and `cursor` are text because keys are. A delivery's id sorts by the time of its event.

States of a delivery: `pending` (an attempt is queued, or due), `parked` (waits until its endpoint answers again or its
webhook is resumed), `delivered`, `failed`.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, SECOND
from callmissed.events.outbox import RETENTION
from callmissed.ids import sortable_id

WEBHOOK = "wh_"
COUNT = "COUNT"
LANE = "LANE"
DELIVERY = "D#"
ATTEMPT = "A#"
REPLAY = "R#"
SHARDS = 8
INDEXED = ("shard", "due")

LOST_AFTER = 15 * MINUTE
"""Time, in microseconds, after which the timer repeats an order that nothing came of."""


class State(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    PARKED = "parked"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which webhook, and whose."""

    tenant: str
    webhook: str

    @property
    def partition(self) -> str:
        """Partition of its deliveries."""
        return f"{self.tenant}#{self.webhook}"


def endpoint_of(partition: str) -> Endpoint:
    """The webhook whose deliveries are in `partition`."""
    tenant, _, webhook = partition.partition("#")
    return Endpoint(tenant, webhook)


def delivery_id(created: int, *origins: str) -> str:
    """Id of the delivery that `origins` (such as event and webhook) lead to: the same for the same."""
    digest = hashlib.sha256("\0".join(origins).encode()).digest()
    return f"dlv_{sortable_id(created, int.from_bytes(digest[:8]) >> 4)}"


def new_delivery(endpoint: Endpoint, id: str, event: Item, state: State, *, origin: str | None = None) -> Item:
    """A delivery of the outbox's `event` that was not attempted yet. `origin` is the delivery that it replays."""
    item: Item = {
        "webhook": endpoint.partition,
        "item": DELIVERY + id,
        "event": event["id"],
        "type": event["type"],
        "created": event["created"],
        "state": state.value,
        "n": 0,
        "ttl": (event["created"] + RETENTION) // SECOND,
    }
    item |= parked(item) if state is State.PARKED else {}
    return item | ({"origin": origin} if origin else {})


def parked(delivery: Item) -> Item:
    """The attributes that make `delivery` a parked one."""
    return {"state": State.PARKED.value, "shard": lane_shard(endpoint_of(delivery["webhook"])), "due": delivery["item"]}


def lane_shard(endpoint: Endpoint) -> str:
    """The part of the index with the parked deliveries of `endpoint`."""
    return f"parked#{endpoint.partition}"


def due(endpoint: Endpoint, moment: int) -> dict[str, str]:
    """The attributes that let the timer start an item of `endpoint` at `moment` (epoch microseconds)."""
    shard = int.from_bytes(hashlib.sha256(endpoint.partition.encode()).digest()[:4]) % SHARDS
    return {"shard": str(shard), "due": f"{moment:020}"}


def attempt_key(endpoint: Endpoint, id: str, number: int) -> dict[str, Any]:
    """Key of the delivery's attempt `number`, the first of which is 1."""
    return {"webhook": endpoint.partition, "item": f"{ATTEMPT}{id}#{number:03}"}


def delivery_key(endpoint: Endpoint, id: str) -> dict[str, Any]:
    """Key of a delivery."""
    return {"webhook": endpoint.partition, "item": DELIVERY + id}


def webhook_key(endpoint: Endpoint) -> dict[str, Any]:
    """Key of a webhook."""
    return {"tenant": endpoint.tenant, "webhook": endpoint.webhook}
