"""The end of a turn: one transaction of the conversation, the turn's record and its events.

The first try expects what is usual: nothing came meanwhile, and nothing else waits. A refused one reads the
conversation, and writes what is right for it as it is then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import Comparison, equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import Changes, WriteOperation, put_operation, update_operation
from callmissed.clock import MINUTE, Clock, Micros
from callmissed.ids import sortable_id
from callmissed.platform.tables import CONVERSATIONS, MESSAGES
from functions.bots.conversations.answer_counts import with_one_more
from functions.bots.conversations.late_delivery import mark_answered
from functions.bots.conversations.messages import MessageState, StoredMessage, StoredTurn, message_of, to_turn_item
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import (
    LastTurn,
    Lease,
    StoredConversation,
    TurnState,
    change_mark,
    conversation_of,
    due_text,
    shard_of,
    to_last_turn,
    to_lease,
)
from functions.bots.conversations.take_over import Escalation, escalation_of
from functions.bots.outbound.storage import sent_event

_TRIES = 6
_WENT_OUT = frozenset({MessageState.SENT, MessageState.DELIVERED, MessageState.READ})
_REFUSED = "ConditionalCheckFailed"


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """What became of a turn. One that `escalates` leaves the conversation to people."""

    state: TurnState
    reason: Reason | None = None
    escalates: bool = False


ANSWERED = TurnOutcome(TurnState.ANSWERED)


@dataclass(frozen=True, slots=True)
class EndedTurn:
    """A turn that is to be written down.

    `conversation` is as the turn last knew it. Without a `lease` the turn never began. `answers` are ids of the
    messages that it was for, `sent` the messages that it sent. With `holds` the last of them has its claim still, and
    `message.sent` is not published yet.
    """

    id: str
    conversation: StoredConversation
    outcome: TurnOutcome
    started: Micros
    bot_id: str
    lease: Lease | None = None
    answers: Sequence[str] = ()
    sent: Sequence[StoredMessage] = ()
    holds: bool = False

    @property
    def held(self) -> StoredMessage | None:
        """The message whose claim ends with the turn."""
        return self.sent[-1] if self.holds else None

    @property
    def unsettled(self) -> str | None:
        """The message that may have gone out."""
        return next((message.id for message in self.sent if message.status is MessageState.SENDING), None)

    @property
    def reads(self) -> str | None:
        """The last inbound message that the turn is for."""
        return self.lease.reads if self.lease else self.conversation.last_inbound


def skipped(conversation: StoredConversation, reason: Reason, now: Micros) -> EndedTurn:
    """A turn that never began."""
    outcome = TurnOutcome(TurnState.SKIPPED, reason)
    answers = sorted(conversation.pending_ids)
    return EndedTurn(f"turn_{sortable_id(now)}", conversation, outcome, now, conversation.bot_id or "", answers=answers)


class Endings:
    """Writes the ends of turns. Raises Unavailable; another worker ends the turn then."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write(self, ended: EndedTurn) -> bool:
        """Write the end; returns whether messages wait that came meanwhile. Nothing changes if the lease was lost."""
        conversation, published = ended.conversation, False
        for _ in range(_TRIES):
            now, ended = self._clock(), _as_delivered(ended, conversation)
            operations = _operations(ended, conversation, now, published=published)
            try:
                await self._database.transact(operations)
                return conversation.last_inbound != ended.reads
            except TransactionCanceled as canceled:
                published = published or _REFUSED in canceled.reasons[2:]
            found = await self._current(ended)
            if found is None:
                return False
            conversation, ended = found, _as_taken_over(ended, found)
        raise Unavailable("the turn could not be ended", indeterminate=False)

    async def settle_early(self, ended: EndedTurn) -> None:
        """Apply the status of a message of which nobody knew, if it came before the turn was written."""
        for message in ended.sent:
            if message.id == ended.unsettled:
                item = await self._database.get(MESSAGES, message.key)
                if item and message_of(item).status in _WENT_OUT:
                    await mark_answered(self._database, message, self._clock())

    async def _current(self, ended: EndedTurn) -> StoredConversation | None:
        """The conversation, if the turn is still to be written."""
        item = await self._database.get(CONVERSATIONS, ended.conversation.key)
        found = conversation_of(item) if item else None
        if found is None or (found.last_turn and found.last_turn.id == ended.id):
            return None
        if ended.lease is None:
            unchanged = found.last_inbound == ended.reads and found.epoch == ended.conversation.epoch
            return found if unchanged and found.pending else None
        return found if found.lease == ended.lease else None


def _as_taken_over(ended: EndedTurn, found: StoredConversation) -> EndedTurn:
    """An escalation is pointless where a person answers by now; and it is said who stopped the bot."""
    is_overtaken = ended.outcome.escalates and found.epoch != ended.conversation.epoch
    if not is_overtaken and ended.outcome.reason is not Reason.TAKEN_OVER:
        return ended
    reason = Reason.OPTED_OUT if found.opted_out else Reason.TAKEN_OVER if found.is_open else Reason.COMPLETED
    return replace(ended, outcome=TurnOutcome(TurnState.SKIPPED, reason))


def _as_delivered(ended: EndedTurn, conversation: StoredConversation) -> EndedTurn:
    """The turn has failed, if one of its messages failed after it was sent."""
    seemed_sent = ended.outcome.state is TurnState.ANSWERED or ended.outcome.reason is Reason.DELIVERY_UNKNOWN
    if not seemed_sent or conversation.undelivered.isdisjoint(message.id for message in ended.sent):
        return ended
    return replace(ended, outcome=TurnOutcome(TurnState.FAILED, Reason.UNDELIVERABLE))


def _operations(
    ended: EndedTurn, conversation: StoredConversation, now: Micros, *, published: bool
) -> list[WriteOperation]:
    """The transaction's operations: conversation, turn, and then what may have been published before."""
    turn = StoredTurn(
        tenant=conversation.tenant,
        conversation_id=conversation.id,
        id=ended.id,
        bot_id=ended.bot_id,
        state=ended.outcome.state,
        started=ended.started,
        reason=ended.outcome.reason,
        finished=now,
        answers=ended.answers,
        sent=[message.id for message in ended.sent],
    )
    escalation = _escalation(ended, conversation, now)
    update = update_operation(CONVERSATIONS, conversation.key, **_changes(ended, conversation, escalation, now))
    operations = [update, put_operation(MESSAGES, to_turn_item(turn))]
    if (held := ended.held) and held.wamid and not held.error and not published:
        operations.append(sent_event(held, conversation, now))
    return operations + list(escalation.operations if escalation else ())


def _escalation(ended: EndedTurn, conversation: StoredConversation, now: Micros) -> Escalation | None:
    if not ended.outcome.escalates or conversation.handoff or not conversation.is_open:
        return None
    return escalation_of(conversation, str(ended.outcome.reason), now)


def _changes(ended: EndedTurn, conversation: StoredConversation, escalation: Escalation | None, now: Micros) -> Changes:
    """What the end changes in the conversation, if it is as `conversation`."""
    waiting, done = _waiting(ended, conversation, now)
    changed: Item = {
        "last_turn": to_last_turn(LastTurn(ended.id, ended.outcome.state, ended.outcome.reason)),
        "changed": change_mark(now, conversation.id),
        **_counts(ended, conversation, now),
        **waiting,
        **(escalation.changes | {"epoch": conversation.epoch + 1} if escalation else {}),
    }
    if ended.bot_id:
        changed["bot_id"] = ended.bot_id
    expected, absent = _expected(ended, conversation, idle="due" in done)
    removed = ["lease", "undelivered", *(["claim"] if "claim" in expected else []), *done]
    changes: Changes = {"set": changed, "remove": removed, "expected": expected, "must_not_exist": absent}
    if ended.unsettled:
        changes["add"] = {"unsettled": frozenset({ended.unsettled})}
    return changes


def _expected(ended: EndedTurn, conversation: StoredConversation, *, idle: bool) -> tuple[Item, list[str]]:
    """What the conversation must be like: attributes with their values, and those that it must not have."""
    lease, held = ended.lease or conversation.lease, ended.held
    expected: Item = {
        "last_inbound": conversation.last_inbound,
        "pending": conversation.pending,
        "epoch": conversation.epoch,
        **({"lease": to_lease(lease)} if lease else {}),
        **({"queued": missing_or(equal(0))} if idle else {}),
        **({"undelivered": conversation.undelivered} if conversation.undelivered else {}),
    }
    if held and _holds(ended, conversation):
        expected["claim"] = Comparison("{name}.message_id = {0}", (held.id,))
    waits = ("unsettled",) if held and "claim" in expected else ("unsettled", "claim")
    absent = [name for name, value in (("lease", lease), ("undelivered", conversation.undelivered)) if not value]
    return expected, [*absent, *(waits if idle else ())]


def _holds(ended: EndedTurn, conversation: StoredConversation) -> bool:
    """Whether the conversation's claim ends with the turn."""
    held, claim = ended.held, conversation.claim
    return held is not None and claim is not None and claim.message_id == held.id


def _waiting(ended: EndedTurn, conversation: StoredConversation, now: Micros) -> tuple[Item, list[str]]:
    """What waits for work afterwards, and the attributes that go with what does not."""
    left = conversation.pending_ids - set(ended.answers)
    if left and conversation.last_inbound != ended.reads:
        return {"pending": len(left), "pending_ids": left, "pending_since": now, **_due(conversation, now)}, []
    done = ["pending_ids", "pending_since"]
    if ended.unsettled:
        return {"pending": 0, **_due(conversation, Micros(now + MINUTE))}, done
    if conversation.queued or conversation.unsettled or (conversation.claim and not _holds(ended, conversation)):
        return {"pending": 0}, done
    return {"pending": 0}, [*done, "due", "shard"]


def _due(conversation: StoredConversation, at: Micros) -> Item:
    return {"due": due_text(at), "shard": shard_of(conversation.id)}


def _counts(ended: EndedTurn, conversation: StoredConversation, now: Micros) -> Item:
    """The counts of answers for the bot's limits, and the time of the last message."""
    went_out = [message for message in ended.sent if not message.error]
    activity: Item = {"last_activity": max(now, conversation.last_activity)} if went_out else {}
    if ended.outcome.state is not TurnState.ANSWERED:
        return activity
    return activity | with_one_more(conversation, now)
