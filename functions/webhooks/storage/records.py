"""The records of webhooks and deliveries, and how they are stored. Moments are epoch microseconds.

Table `webhooks`: one item a webhook, whose attributes have the names of its fields, and one item `COUNT` a tenant: n,
how many webhooks it has. Queries of the table ask for `wh_…` only.

Table `deliveries`: all items of one webhook are in the partition `<tenant>#<webhook id>`.

    D#<delivery id>        a delivery: event, type, created, state, n (attempts made), base (those before it was last
                           recovered), next, code, error, done, origin (the delivery that it replays)
    A#<delivery id>#<nnn>  one attempt: at, status, latency_ms, error, answer (first 20 KB), truncated
    PARKED                 the webhook has parked deliveries: they are checked when this is due; rev counts parked
                           deliveries, empty is the rev at which none was found, since the time of that check
    R#<replay id>          a replay (`replays.py`)

`shard` and `due` put an item into the index. If `shard` is a number, the scheduler enqueues the item when it is `due`.
With `parked#` and the partition's name, the item is a parked delivery of that webhook, and `due` is its sort key: they
are read in the order of their events. `due` is text because keys are. A delivery's id sorts by the time of its event.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple, Self

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.events.outbox import RETENTION
from callmissed.ids import sortable_id, sortable_prefix
from functions.webhooks.storage.attributes import Attributes

SHARDS = 8

LOST_AFTER = 15 * MINUTE
"""Time, in microseconds, after which the scheduler repeats a job whose result is missing."""

INDEXED = ("shard", "due")
"""Attributes that put an item into the index."""

WEBHOOK_PREFIX = "wh_"
COUNT = "COUNT"
PARKED_KEY = "PARKED"
DELIVERY_PREFIX = "D#"
_ATTEMPT = "A#"
REPLAY_PREFIX = "R#"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook's tenant and id."""

    tenant: str
    webhook: str

    @property
    def key(self) -> Item:
        """Key of the webhook."""
        return {"tenant": self.tenant, "webhook": self.webhook}

    @property
    def partition(self) -> str:
        """Partition of its deliveries."""
        return f"{self.tenant}#{self.webhook}"

    @property
    def parked_key(self) -> Item:
        """Key of the item that marks parked deliveries."""
        return {"webhook": self.partition, "item": PARKED_KEY}

    @property
    def parked_shard(self) -> str:
        """The part of the index with its parked deliveries."""
        return f"parked#{self.partition}"

    def due(self, moment: Micros) -> Item:
        """The attributes that let the scheduler enqueue an item of this webhook at `moment`."""
        shard = int.from_bytes(hashlib.sha256(self.partition.encode()).digest()[:4]) % SHARDS
        return {"shard": str(shard), "due": due_text(moment)}

    @classmethod
    def of_partition(cls, partition: str) -> Self:
        """The webhook whose deliveries are in `partition`."""
        tenant, _, webhook = partition.partition("#")
        return cls(tenant, webhook)


def due_text(moment: Micros) -> str:
    """`moment` as the index sorts it."""
    return f"{moment:020}"


def count_key(tenant: str) -> Item:
    """Key of the item that counts the tenant's webhooks."""
    return {"tenant": tenant, "webhook": COUNT}


class WebhookStatus(StrEnum):
    """Whether a webhook gets events: `paused` by its owner, `disabled` by the platform."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why the platform disabled a webhook."""

    FAILING = "failing"
    GONE = "gone"


class SigningSecret(NamedTuple):
    """A sealed secret. `expires_at` is the last moment at which it signs, None for the newest."""

    sealed: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook. `headers` maps names to sealed values; `secrets` has the newest first. With a `bot_id` it gets the
    events of that bot only.

    `revision` counts changes by the owner, and disablings. Until `open_until` the circuit breaker allows no
    attempt. `rotation_id` names the operation that rotated the secret last.
    """

    endpoint: Endpoint
    url: str
    events: Sequence[str]
    description: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Sequence[SigningSecret] = ()
    masked_secret: str = ""
    active: bool = True
    created_at: Micros
    updated_at: Micros
    revision: int = 1
    consecutive_failures: int | None = None
    first_failure_at: Micros | None = None
    open_until: Micros | None = None
    disabled_reason: DisabledReason | None = None
    disabled_at: Micros | None = None
    rotation_id: str | None = None
    bot_id: str | None = None

    @property
    def status(self) -> WebhookStatus:
        """Whether it gets events."""
        if self.disabled_reason:
            return WebhookStatus.DISABLED
        return WebhookStatus.ACTIVE if self.active else WebhookStatus.PAUSED

    @property
    def item(self) -> Item:
        """The webhook as it is stored."""
        return self.endpoint.key | WEBHOOK.encode_record(self)

    @classmethod
    def of(cls, item: Item) -> Self:
        """The webhook that is stored as `item`."""
        fields = WEBHOOK.decode(item)
        fields["secrets"] = [SigningSecret(*secret) for secret in fields["secrets"]]
        if reason := fields.get("disabled_reason"):
            fields["disabled_reason"] = DisabledReason(reason)
        return cls(endpoint=Endpoint(item["tenant"], item["webhook"]), **fields)


WEBHOOK = Attributes(
    **{each.name: each.name for each in fields(Webhook) if each.name != "endpoint"},
)
FAILURES = WEBHOOK.names("consecutive_failures", "first_failure_at", "open_until", "disabled_reason", "disabled_at")
"""Attributes that say how a webhook's endpoint failed."""


class State(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    """An attempt is queued, or due."""

    PARKED = "parked"
    """Waits until the endpoint answers again, or the webhook is resumed."""

    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedDelivery:
    """A delivery as the index shows it. `attempts` is how many were made."""

    endpoint: Endpoint
    id: str
    event_id: str
    attempts: int = 0

    @property
    def key(self) -> Item:
        """Key of the delivery."""
        return delivery_key(self.endpoint, self.id)

    @classmethod
    def of(cls, item: Item) -> Self:
        """The delivery that is stored as `item`."""
        endpoint, id = Endpoint.of_partition(item["webhook"]), item["item"].removeprefix(DELIVERY_PREFIX)
        names = {each.name for each in fields(cls)}
        known = {name: value for name, value in DELIVERY.decode(item).items() if name in names}
        if state := known.get("state"):
            known["state"] = State(state)
        return cls(endpoint=endpoint, id=id, **known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(IndexedDelivery):
    """One event for one webhook. `created_at` is the time of the event.

    `attempts_before_recovery` were made before it was last recovered. `replay_of` is the delivery that it repeats.
    """

    event_type: str
    created_at: Micros
    state: State
    attempts_before_recovery: int | None = None
    next_attempt_at: Micros | None = None
    status_code: int | None = None
    error: str | None = None
    finished_at: Micros | None = None
    replay_of: str | None = None

    @property
    def item(self) -> Item:
        """The delivery as it is stored."""
        item = self.key | DELIVERY.encode_record(self) | {"ttl": self.ttl}
        return item | (self.parked if self.state is State.PARKED else {})

    @property
    def ttl(self) -> int:
        """When the delivery and its attempts expire, in epoch seconds."""
        return (self.created_at + RETENTION) // SECOND

    @property
    def parked(self) -> Item:
        """The attributes that make it a parked delivery."""
        key = self.key["item"]
        return {**DELIVERY.encode(state=State.PARKED), "shard": self.endpoint.parked_shard, "due": key}


DELIVERY = Attributes(
    event_id="event",
    event_type="type",
    created_at="created",
    state="state",
    attempts="n",
    attempts_before_recovery="base",
    next_attempt_at="next",
    status_code="code",
    error="error",
    finished_at="done",
    replay_of="origin",
)


def delivery_id(created_at: Micros, *origins: str) -> str:
    """Id of a delivery, which follows from its `origins` (such as event and webhook)."""
    digest = hashlib.sha256("\0".join(origins).encode()).digest()
    return f"dlv_{sortable_id(created_at, int.from_bytes(digest[:8]) >> 4)}"


def delivery_key(endpoint: Endpoint, delivery_id: str) -> Item:
    """Key of a delivery."""
    return {"webhook": endpoint.partition, "item": DELIVERY_PREFIX + delivery_id}


FIRST_DELIVERY, LAST_DELIVERY = DELIVERY_PREFIX, f"{DELIVERY_PREFIX}~"
"""Sort keys before and after those of all deliveries of a webhook."""


def key_before(moment: Micros) -> str:
    """The sort key between all deliveries before the millisecond `moment` and the others."""
    return f"{DELIVERY_PREFIX}dlv_{sortable_prefix(Micros(max(moment, 0)))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP request made for a delivery; the first is number 1. `status_code` is None without an answer."""

    number: int
    at: Micros
    status_code: int | None = None
    latency_ms: int | None = None
    error: str | None = None
    response_body: str | None = None
    truncated: bool | None = None

    def item(self, delivery: Delivery) -> Item:
        """The attempt as it is stored, without empty and false fields."""
        attributes = {name: value for name, value in ATTEMPT.encode_record(self).items() if value not in ("", False)}
        return attempt_key(delivery.endpoint, delivery.id, self.number) | attributes | {"ttl": delivery.ttl}

    @classmethod
    def of(cls, item: Item) -> Self:
        """The attempt that is stored as `item`."""
        return cls(number=int(item["item"].rpartition("#")[2]), **ATTEMPT.decode(item))


ATTEMPT = Attributes(
    at="at",
    status_code="status",
    latency_ms="latency_ms",
    error="error",
    response_body="answer",
    truncated="truncated",
)


def attempt_key(endpoint: Endpoint, delivery_id: str, number: int) -> Item:
    """Key of the delivery's attempt `number`."""
    return {"webhook": endpoint.partition, "item": f"{attempt_prefix(delivery_id)}{number:03}"}


def attempt_prefix(delivery_id: str) -> str:
    """Prefix of the sort keys of the delivery's attempts."""
    return f"{_ATTEMPT}{delivery_id}#"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedDeliveries:
    """Marks that a webhook has parked deliveries, which are checked at `due_at`.

    `revision` counts parked deliveries. `empty_revision` is the revision at which none was found, since `empty_since`.
    """

    endpoint: Endpoint
    due_at: Micros
    revision: int
    empty_revision: int | None = None
    empty_since: Micros | None = None

    @property
    def due(self) -> str:
        """`due_at` as it is stored."""
        return due_text(self.due_at)

    @classmethod
    def of(cls, item: Item) -> Self:
        """The mark that is stored as `item`."""
        endpoint = Endpoint.of_partition(item["webhook"])
        return cls(endpoint=endpoint, due_at=Micros(int(item["due"])), **PARKED.decode(item))


PARKED = Attributes(revision="rev", empty_revision="empty", empty_since="since")
