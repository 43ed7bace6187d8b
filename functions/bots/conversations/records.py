"""A conversation's record and the look-up of its end user, and their stored forms.

Items of the table `conversations`, whose partition is the tenant:

    CONVERSATION#<id>                    a conversation
    USER#<phone number id>#<user key>    the end user's latest conversation at a number; there is an item for each
                                         of the two names that WhatsApp uses, `wa:<digits>` and `id:<BSUID>`
    HANDOFF#<moment>#<conversation id>   an entry of the hand-off queue
    MONTH#<yyyymm>                       how many conversations bots have answered in the month

`changed` is the key of the index of changes: moment and id, renewed by every change that people see. `shard` and `due`
are the keys of the index of what waits for work; an item that waits for nothing has neither.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, SECOND, Micros

SHARDS = 4
HOUR = 60 * MINUTE
NEVER = Micros(0)
WINDOW_HOURS = 24
"""WhatsApp's window for messages that are no templates, and the silence after which a conversation is completed."""

CONVERSATION, USER, HANDOFF, MONTH = "CONVERSATION#", "USER#", "HANDOFF#", "MONTH#"


class Status(StrEnum):
    """Status of a conversation. An escalated one waits for a person, or has one; both first ones are open."""

    ACTIVE = "active"
    ESCALATED = "escalated"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Whether the end user's next message belongs to the conversation."""
        return self in OPEN


OPEN = frozenset({Status.ACTIVE, Status.ESCALATED})


class TurnState(StrEnum):
    """State of a turn, which is final but for `thinking`."""

    THINKING = "thinking"
    ANSWERED = "answered"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EndUser:
    """An end user of WhatsApp: the digits of a phone number, a business-scoped user id, or both, and a profile name."""

    wa_id: str | None = None
    user_id: str | None = None
    name: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What the end user's items are named by; at least one."""
        named = (("wa", self.wa_id), ("id", self.user_id))
        return tuple(f"{kind}:{value}" for kind, value in named if value)

    @property
    def external_id(self) -> str:
        """How the channel names the end user: the number where it is known."""
        return self.wa_id or self.user_id or ""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to answer: the turn, the worker's random token, and when another worker may take it.

    `reads` is the last inbound message that the turn answers, `deaths` the number of workers that left the turn without
    a word.
    """

    turn_id: str
    token: str
    until: Micros
    reads: str
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is being sent: nobody else sends to the end user meanwhile. `by_bot` messages obey a take-over."""

    message_id: str
    at: Micros
    by_bot: bool


@dataclass(frozen=True, slots=True)
class LastTurn:
    """What became of the latest turn, as the API shows it. `reason` is None for an answer."""

    id: str
    state: TurnState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation. Times are epoch microseconds.

    `number_id` is Meta's id of the phone number. `epoch` is raised by every take-over and hand-back: a bot's message
    leaves only in the epoch in which its turn began. `pending` inbound messages, named by `pending_ids`, wait for a
    turn since `pending_since`; `last_inbound` is the id of the one that came last, `last_inbound_at` the latest time by
    Meta, which opens the window. `queued` messages wait to be sent, in their order, which is that of `enqueued`, the
    number of texts that ever waited; `unsettled` are the ids of messages that may have gone out, of which no status has
    come yet. `counted` is the month in which it counts in the plan's limit, that of its first turn, None before.
    `answers` counts the turns that were answered, `answers_today` those of the UTC day `answers_day`, such as 20261128.
    `handoff` is the sort key of its entry in the hand-off queue, `previous` the user's conversation before this one.
    `lease_epoch` is the epoch in which the turn of the last lease began; `handed_back_at` is when the bot got the
    conversation back last. `undelivered` are ids of messages of the turn under way that failed after they were sent.
    """

    tenant: str
    id: str
    number_id: str
    user: EndUser
    created: Micros
    changed: str
    bot_id: str | None = None
    channel: str = "whatsapp"
    status: Status = Status.ACTIVE
    autoreply: bool = True
    opted_out: bool = False
    epoch: int = 0
    last_activity: Micros = NEVER
    last_inbound: str | None = None
    last_inbound_at: Micros = NEVER
    pending: int = 0
    pending_ids: frozenset[str] = frozenset()
    pending_since: Micros | None = None
    unread: int = 0
    due: str | None = None
    lease: Lease | None = None
    claim: Claim | None = None
    queued: int = 0
    enqueued: int = 0
    unsettled: frozenset[str] = frozenset()
    undelivered: frozenset[str] = frozenset()
    last_turn: LastTurn | None = None
    failure_text_at: Micros | None = None
    counted: int | None = None
    answers: int = 0
    answers_day: int = 0
    answers_today: int = 0
    labels: frozenset[str] = frozenset()
    assigned_to: str | None = None
    handoff: str | None = None
    last_read_at: Micros | None = None
    previous: str | None = None
    lease_epoch: int | None = None
    handed_back_at: Micros | None = None

    @property
    def key(self) -> Item:
        """Key of the item."""
        return conversation_key(self.tenant, self.id)

    @property
    def thread(self) -> str:
        """Partition of its messages."""
        return thread_of(self.tenant, self.id)

    @property
    def is_busy(self) -> bool:
        """Whether more than inbound messages waits: a turn that began, or a message on its way to the end user."""
        return bool(self.lease or self.claim or self.queued or self.unsettled)

    @property
    def is_open(self) -> bool:
        """Whether the end user's next message belongs to it, if it does not come after a day's silence."""
        return self.status in OPEN

    def status_at(self, now: Micros) -> Status:
        """Status as of `now`: after a day's silence an open conversation is completed, whoever writes that down."""
        is_silent = now - self.last_activity >= WINDOW_HOURS * HOUR
        return Status.COMPLETED if self.is_open and is_silent else self.status

    @property
    def duration_seconds(self) -> int:
        """Seconds from the beginning to the last activity."""
        return max(0, self.last_activity - self.created) // SECOND


@dataclass(frozen=True, slots=True)
class KnownUser:
    """What is known of an end user at a number, beyond one conversation."""

    conversation_id: str
    opted_out: bool = False


def derived_id(received: Micros, *parts: str) -> str:
    """Id of the conversation that begins with the message that `parts` name: a UUID that sorts by time (version 7)."""
    digest = int.from_bytes(hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).digest())
    bits = (received // 1000) << 80 | 7 << 76 | (digest >> 64 & 0xFFF) << 64 | 0b10 << 62 | digest & (1 << 62) - 1
    return str(UUID(int=bits))


def conversation_key(tenant: str, conversation_id: str) -> Item:
    """Key of a conversation's item."""
    return {"tenant": tenant, "item": CONVERSATION + conversation_id}


def user_key(tenant: str, number_id: str, key: str) -> Item:
    """Key of the item of an end user that is named by `key`, one of `EndUser.keys`."""
    return {"tenant": tenant, "item": f"{USER}{number_id}#{key}"}


def thread_of(tenant: str, conversation_id: str) -> str:
    """Partition, in the table `messages`, of a conversation's messages and turns."""
    return f"{tenant}#{conversation_id}"


def change_mark(now: Micros, conversation_id: str) -> str:
    """Value of `changed` for a change at `now`: sorts by time, and is unique."""
    return f"{now:020d}#{conversation_id}"


def changed_at(mark: str) -> Micros:
    """The moment of a change; the inverse of `change_mark`."""
    return Micros(int(mark.partition("#")[0]))


def month_key(tenant: str, month: int) -> Item:
    """Key of the count of conversations that bots answered first in the month, such as 202611."""
    return {"tenant": tenant, "item": f"{MONTH}{month}"}


def due_text(at: Micros) -> str:
    """Value of `due` for what waits until `at`."""
    return f"{at:020d}"


def shard_of(conversation_id: str) -> str:
    """The part of the index `due` in which a conversation waits."""
    return str(hashlib.sha256(conversation_id.encode()).digest()[0] % SHARDS)


def to_conversation_item(conversation: StoredConversation) -> Item:
    """The stored form. What is None is left out."""
    values: dict[str, Any] = {
        **conversation.key,
        "id": conversation.id,
        "number_id": conversation.number_id,
        "wa_id": conversation.user.wa_id,
        "user_id": conversation.user.user_id,
        "name": conversation.user.name,
        "created": conversation.created,
        "changed": conversation.changed,
        "bot_id": conversation.bot_id,
        "channel": conversation.channel,
        "status": str(conversation.status),
        "autoreply": conversation.autoreply,
        "opted_out": conversation.opted_out,
        "epoch": conversation.epoch,
        "last_activity": conversation.last_activity,
        "last_inbound": conversation.last_inbound,
        "last_inbound_at": conversation.last_inbound_at,
        "pending": conversation.pending,
        "pending_ids": conversation.pending_ids or None,
        "pending_since": conversation.pending_since,
        "unread": conversation.unread,
        "shard": shard_of(conversation.id) if conversation.due else None,
        "due": conversation.due,
        "lease": to_lease(conversation.lease) if conversation.lease else None,
        "claim": to_claim(conversation.claim) if conversation.claim else None,
        "queued": conversation.queued or None,
        "previous": conversation.previous,
        "enqueued": conversation.enqueued or None,
        "unsettled": conversation.unsettled or None,
        "undelivered": conversation.undelivered or None,
        "last_turn": to_last_turn(conversation.last_turn) if conversation.last_turn else None,
        "failure_text_at": conversation.failure_text_at,
        "counted": conversation.counted,
        "answers": conversation.answers or None,
        "answers_day": conversation.answers_day or None,
        "answers_today": conversation.answers_today or None,
        "labels": conversation.labels or None,
        "assigned_to": conversation.assigned_to,
        "handoff": conversation.handoff,
        "last_read_at": conversation.last_read_at,
        "lease_epoch": conversation.lease_epoch,
        "handed_back_at": conversation.handed_back_at,
    }
    return {name: value for name, value in values.items() if value is not None}


def conversation_of(item: Item) -> StoredConversation:
    """The conversation of a stored item."""
    plain = (
        "bot_id",
        "last_inbound",
        "pending_since",
        "due",
        "failure_text_at",
        "counted",
        "assigned_to",
        "handoff",
        "last_read_at",
        "lease_epoch",
        "handed_back_at",
    )
    return StoredConversation(
        tenant=item["tenant"],
        id=item["id"],
        number_id=item["number_id"],
        user=EndUser(item.get("wa_id"), item.get("user_id"), item.get("name")),
        created=Micros(item["created"]),
        changed=item["changed"],
        channel=item["channel"],
        status=Status(item["status"]),
        autoreply=item["autoreply"],
        opted_out=item["opted_out"],
        epoch=item["epoch"],
        last_activity=Micros(item["last_activity"]),
        last_inbound_at=Micros(item["last_inbound_at"]),
        pending=item["pending"],
        pending_ids=frozenset(item.get("pending_ids", ())),
        unread=item["unread"],
        lease=_lease_of(item.get("lease")),
        claim=_claim_of(item.get("claim")),
        queued=item.get("queued", 0),
        previous=item.get("previous"),
        enqueued=item.get("enqueued", 0),
        unsettled=frozenset(item.get("unsettled", ())),
        undelivered=frozenset(item.get("undelivered", ())),
        last_turn=_last_turn_of(item.get("last_turn")),
        answers=item.get("answers", 0),
        answers_day=item.get("answers_day", 0),
        answers_today=item.get("answers_today", 0),
        labels=frozenset(item.get("labels", ())),
        **{name: item.get(name) for name in plain},
    )


def to_lease(lease: Lease) -> Item:
    """The stored form of a lease."""
    deaths = {"deaths": lease.deaths} if lease.deaths else {}
    return {"turn_id": lease.turn_id, "token": lease.token, "until": lease.until, "reads": lease.reads, **deaths}


def to_claim(claim: Claim) -> Item:
    """The stored form of a claim."""
    return {"message_id": claim.message_id, "at": claim.at, "by_bot": claim.by_bot}


def to_last_turn(turn: LastTurn) -> Item:
    """The stored form of the latest turn."""
    return {"id": turn.id, "state": str(turn.state), "reason": turn.reason}


def to_user_item(tenant: str, number_id: str, key: str, user: KnownUser) -> Item:
    """The stored form of the end user's item that is named by `key`."""
    opted_out = {"opted_out": True} if user.opted_out else {}
    return user_key(tenant, number_id, key) | {"conversation_id": user.conversation_id, **opted_out}


def known_user_of(item: Item) -> KnownUser:
    """The end user of a stored item."""
    return KnownUser(item["conversation_id"], item.get("opted_out", False))


def _lease_of(item: Mapping[str, Any] | None) -> Lease | None:
    if not item:
        return None
    return Lease(item["turn_id"], item["token"], Micros(item["until"]), item["reads"], item.get("deaths", 0))


def _claim_of(item: Mapping[str, Any] | None) -> Claim | None:
    return Claim(item["message_id"], Micros(item["at"]), item["by_bot"]) if item else None


def _last_turn_of(item: Mapping[str, Any] | None) -> LastTurn | None:
    return LastTurn(item["id"], TurnState(item["state"]), item["reason"]) if item else None
