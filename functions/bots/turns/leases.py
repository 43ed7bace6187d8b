"""The lease of a conversation: one worker answers it at a time.

The lease is taken by one conditional write, which expects what is usual: the job's message is the last one, the bot
may answer, and nobody else does. A refused write returns the conversation as it is, which says what to do instead.
A worker that died leaves its lease, which another takes once it is over by more than clocks may differ. The turn keeps
its id then, so that the model's reply is paid for once, and the write that takes it counts the death.
"""

import secrets
from dataclasses import dataclass, replace

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import above, one_of
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, Unavailable
from callmissed.aws.operations import Changes
from callmissed.clock import MINUTE, SECOND, Clock, Micros
from callmissed.ids import sortable_id, started_at
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.jobs import TurnJob
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import (
    NEVER,
    OPEN,
    Lease,
    StoredConversation,
    conversation_key,
    conversation_of,
    to_lease,
)

LEASE_SECONDS = 90
MAX_BURST = 12
"""Pending messages that are answered without waiting for a pause."""

ABANDONED = 2 * MINUTE
"""Age at which a claim is one of a process that died."""

_GIVEN_BACK = NEVER
"""`until` of the lease of a worker that left the turn to another, instead of dying."""

_SKEW = 10 * SECOND
_TRIES = 4
_CAN_BE_ANSWERED = {
    "pending": above(0),
    "autoreply": True,
    "opted_out": False,
    "status": one_of(*map(str, OPEN)),
}


@dataclass(frozen=True, slots=True)
class Leased:
    """A conversation with our lease. `resumes` says that another worker had begun the turn."""

    conversation: StoredConversation
    lease: Lease
    resumes: bool = False

    @property
    def began(self) -> Micros:
        """When the turn began, whichever worker has it now."""
        return started_at(self.lease.turn_id.partition("_")[2])

    @property
    def is_overtaken(self) -> bool:
        """Whether somebody took over since the turn began, and may have handed back."""
        began = self.conversation.lease_epoch
        return self.resumes and began is not None and began != self.conversation.epoch


@dataclass(frozen=True, slots=True)
class Idle:
    """There is nothing to do: no message waits, another worker has the conversation, or a later job follows.

    The `conversation` is there if nothing is under way in it.
    """

    conversation: StoredConversation | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """A message is on its way to the end user: look again after `seconds`."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A process died while it sent a message to the end user."""

    conversation: StoredConversation


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """The pending messages get no answer from the bot, and a turn that was begun is not taken on."""

    conversation: StoredConversation
    reason: Reason


Found = Leased | Idle | Later | Abandoned | Unanswerable


class Leases:
    """Leases of one stage's conversations. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(self, job: TurnJob) -> Found:
        """Lease the job's conversation, or say why not."""
        last_inbound, held = job.message_id or "", None
        for _ in range(_TRIES):
            found = await self._try(conversation_key(job.tenant, job.conversation_id), last_inbound, held)
            if not isinstance(found, StoredConversation):
                return found
            if instead := _instead(found, job, self._clock()):
                return instead
            last_inbound, held = found.last_inbound or "", found.lease
        raise Unavailable("the conversation changed at each try", indeterminate=False)

    async def _try(self, key: Item, last_inbound: str, held: Lease | None) -> Leased | Idle | StoredConversation:
        """Lease a conversation whose last message and lease are as given; the conversation itself if they are not."""
        lease = self._new(held, last_inbound)
        expected: Item = {**_CAN_BE_ANSWERED, "last_inbound": last_inbound}
        changes: Changes = {"set": {"lease": to_lease(lease)}, "expected": expected}
        if held:
            expected["lease"] = to_lease(held)
            changes["must_not_exist"] = ("claim",)
        else:
            changes |= {"copy": {"lease_epoch": "epoch"}, "must_not_exist": ("claim", "lease")}
        try:
            item = await self._database.update(CONVERSATIONS, key, **changes)
        except ConditionFailed as refused:
            if not refused.item:
                return Idle()
            conversation = conversation_of(refused.item)
            return Leased(conversation, lease, held is not None) if conversation.lease == lease else conversation
        return Leased(conversation_of(item), lease, held is not None)

    async def renew(self, leased: Leased, now: Micros) -> Leased | None:
        """The lease for all that is pending by now; None when it was lost or a person took over."""
        conversation, lease = leased.conversation, leased.lease
        for _ in range(_TRIES):
            renewed = replace(lease, until=Micros(now + LEASE_SECONDS * SECOND), reads=_last(conversation))
            expected = {
                "lease": to_lease(lease),
                "epoch": leased.conversation.epoch,
                "last_inbound": renewed.reads,
            }
            try:
                item = await self._database.update(
                    CONVERSATIONS, conversation.key, set={"lease": to_lease(renewed)}, expected=expected
                )
                return Leased(conversation_of(item), renewed)
            except ConditionFailed as refused:
                conversation = conversation_of(refused.item) if refused.item else leased.conversation
            if conversation.lease == renewed:
                return Leased(conversation, renewed)
            if conversation.lease != lease or conversation.epoch != leased.conversation.epoch:
                return None
        raise Unavailable("the conversation changed at each try", indeterminate=False)

    async def suspend(self, leased: Leased) -> Leased | None:
        """Let the next worker take the turn on at once; None if it has done so already.

        The lease may have been renewed since it was `leased`, and has its token still.
        """
        item = await self._database.get(CONVERSATIONS, leased.conversation.key)
        held = conversation_of(item).lease if item else None
        if held is None or held.token != leased.lease.token:
            return None
        over = replace(held, token=secrets.token_hex(8), until=_GIVEN_BACK)
        try:
            item = await self._database.update(
                CONVERSATIONS,
                leased.conversation.key,
                set={"lease": to_lease(over)},
                expected={"lease": to_lease(held)},
            )
        except ConditionFailed as refused:
            item = refused.item
        conversation = conversation_of(item) if item else None
        return Leased(conversation, over, resumes=True) if conversation and conversation.lease == over else None

    def _new(self, held: Lease | None, last_inbound: str) -> Lease:
        """A lease of ours. A turn that another worker began keeps its id, and what it answers."""
        now = self._clock()
        until, token = Micros(now + LEASE_SECONDS * SECOND), secrets.token_hex(8)
        if held:
            return replace(held, token=token, until=until, deaths=held.deaths + (held.until != _GIVEN_BACK))
        return Lease(f"turn_{sortable_id(now)}", token, until, last_inbound)


def _instead(conversation: StoredConversation, job: TurnJob, now: Micros) -> Found | None:
    """What to do with a conversation that could not be leased as the job expects; None to try again as it is now."""
    lease, claim = conversation.lease, conversation.claim
    if lease and lease.until + _SKEW >= now:
        return Idle()  # its worker sends a job for what came meanwhile, and the scheduler if that worker dies
    if claim:
        age = now - claim.at
        return Abandoned(conversation) if age > ABANDONED else Later(_seconds_until(ABANDONED - age))
    reason = _why_not(conversation)
    if lease and not conversation.pending:
        return Unanswerable(conversation, reason or Reason.TAKEN_OVER)
    if not conversation.pending or _is_superseded(conversation, job):
        return Idle(conversation)
    return Unanswerable(conversation, reason) if reason else None


def _is_superseded(conversation: StoredConversation, job: TurnJob) -> bool:
    """Whether another job follows for a message that came later."""
    if job.message_id is None or conversation.lease or conversation.pending >= MAX_BURST:
        return False
    return conversation.last_inbound != job.message_id


def _why_not(conversation: StoredConversation) -> Reason | None:
    if not conversation.is_open:
        return Reason.COMPLETED
    if conversation.opted_out:
        return Reason.OPTED_OUT
    return None if conversation.autoreply else Reason.TAKEN_OVER


def _seconds_until(micros: int) -> int:
    """Seconds to wait for a message that is being sent, which usually takes one."""
    return max(1, min(5, micros // SECOND + 1))


def _last(conversation: StoredConversation) -> str:
    return conversation.last_inbound or ""
