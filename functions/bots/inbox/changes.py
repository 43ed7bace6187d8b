"""What a team changes of a conversation: status, labels, who answers, what is read.

Every change but reading is audited in its own transaction. Who answers is changed by `TakeOvers`, so that no message of
the bot leaves once a person has the conversation.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import (
    Changes,
    Conditions,
    WriteOperation,
    check_operation,
    discard_operation,
    update_operation,
)
from callmissed.clock import Micros
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import ConversationEnded
from callmissed.platform.tables import CONVERSATIONS, TENANTS
from callmissed.tenants.users import user_key as person_key
from callmissed.tenants.users import user_of
from functions.bots.conversations.idle import leaving_due
from functions.bots.conversations.records import (
    HOUR,
    WINDOW_HOURS,
    Status,
    StoredConversation,
    change_mark,
    conversation_key,
    due_text,
    shard_of,
    user_key,
)
from functions.bots.conversations.take_over import ConversationContended, TakeOvers
from functions.bots.inbox.errors import (
    conversation_changed,
    conversation_not_found,
    conversation_superseded,
    unprocessable,
)
from functions.bots.inbox.service import Inbox

_TRIES = 5
_REFUSED = "ConditionalCheckFailed"
BY_PERSON = "by_person"
"""Reason of an escalation that somebody of the team, or a key, asked for."""


class InboxChanges:
    """Changes of one stage's conversations.

    Every method returns the conversation after the change, raises ApiError 404 for an unknown conversation, 409 when it
    is changed concurrently at each try, and Unavailable.
    """

    def __init__(self, inbox: Inbox, take_overs: TakeOvers) -> None:
        self._inbox = inbox
        self._take_overs = take_overs
        self._database = take_overs.database

    async def set_status(
        self, tenant: str, conversation_id: str, status: Status, actor: Actor, now: Micros
    ) -> StoredConversation:
        """The conversation in `status`. Raises ApiError 409 for one to reopen whose end user has a newer one."""
        for _ in range(_TRIES):
            before = await self._inbox.get(tenant, conversation_id)
            if before.status is before.status_at(now) is status:
                return before
            audit = _audit(before, "status", actor, now, {"before": str(before.status_at(now)), "after": str(status)})
            try:
                if await self._move(before, status, audit, now):
                    return await _finished(self._take_overs.settled(tenant, conversation_id))
            except ConversationContended:
                continue
        raise conversation_changed()

    async def set_labels(
        self, tenant: str, conversation_id: str, labels: Sequence[str], actor: Actor, now: Micros
    ) -> StoredConversation:
        """The conversation with these labels and no others."""
        before = await self._inbox.get(tenant, conversation_id)
        wanted = frozenset(labels)
        changes: Changes = {"set": {"labels": wanted}} if wanted else {"remove": ("labels",)}
        audit = _audit(before, "label", actor, now, {"before": sorted(before.labels), "after": sorted(wanted)})
        return await self._write(before, changes, now, audit)

    async def assign(
        self, tenant: str, conversation_id: str, user_id: str | None, actor: Actor, now: Micros, *, field: str
    ) -> StoredConversation:
        """The conversation, which the person takes over; nobody for None, and the bot stays silent.

        Raises ApiError 422, for the `field` of the body, unless the person is an active one of the tenant.
        """
        before = await self._inbox.get(tenant, conversation_id)
        audit = _audit(before, "assign", actor, now, {"before": before.assigned_to, "after": user_id})
        if user_id is None:
            return await self._write(before, {"remove": ("assigned_to",)}, now, audit)
        await self._check_person(tenant, user_id, field)
        taken = self._take_overs.take_over(tenant, conversation_id, assigned_to=user_id, beside=(audit,))
        return await _finished(taken)

    async def set_autoreply(
        self, tenant: str, conversation_id: str, *, enabled: bool, actor: Actor, now: Micros
    ) -> StoredConversation:
        """The conversation, handed back to the bot or taken over from it."""
        before = await self._inbox.get(tenant, conversation_id)
        audit = _audit(before, "autoreply", actor, now, {"before": before.autoreply, "after": enabled})
        change = self._take_overs.hand_back if enabled else self._take_overs.take_over
        return await _finished(change(tenant, conversation_id, beside=(audit,)))

    async def mark_read(self, tenant: str, conversation_id: str, now: Micros) -> StoredConversation:
        """The conversation without unread messages."""
        before = await self._inbox.get(tenant, conversation_id)
        return await self._write(before, {"set": {"unread": 0, "last_read_at": now}}, now)

    async def mark_unread(self, tenant: str, conversation_id: str, now: Micros) -> StoredConversation:
        """The conversation with at least one unread message."""
        before = await self._inbox.get(tenant, conversation_id)
        return await self._write(before, {"set": {"unread": 1}, "expected": {"unread": 0}}, now)

    async def _move(self, before: StoredConversation, status: Status, audit: WriteOperation, now: Micros) -> bool:
        """Whether the conversation, which was as `before`, is in `status` now."""
        if not status.is_open:
            return await self._transact(before, _closing(before, status, now), audit, now)
        if not before.status_at(now).is_open:
            reopened = await self._transact(before, _reopening(before, now), audit, now)
            return reopened and (status is Status.ACTIVE or await self._escalate(before))
        if status is Status.ESCALATED:
            return await self._escalate(before, audit)
        return await self._transact(before, _leaving_queue(before), audit, now)

    async def _escalate(self, before: StoredConversation, *beside: WriteOperation) -> bool:
        """Put the conversation into the hand-off queue."""
        return bool(await self._take_overs.escalate(before.tenant, before.id, BY_PERSON, beside=beside))

    async def _transact(
        self,
        before: StoredConversation,
        change: tuple[Changes, Sequence[WriteOperation]],
        audit: WriteOperation,
        now: Micros,
    ) -> bool:
        """Write the change with what goes beside it; False when the conversation changed meanwhile.

        Raises ApiError 409 when another operation is refused: the end user has a newer conversation.
        """
        changes, beside = change
        expected = {**changes.get("expected", {}), "status": str(before.status), "epoch": before.epoch}
        operation = _update(before, {**changes, "expected": expected}, now)
        try:
            await self._database.transact([operation, audit, *beside])
        except TransactionCanceled as canceled:
            if _REFUSED in canceled.reasons[1:] and canceled.reasons[0] != _REFUSED:
                raise conversation_superseded() from canceled
            return False
        return True

    async def _write(
        self, before: StoredConversation, changes: Changes, now: Micros, *beside: WriteOperation
    ) -> StoredConversation:
        """Write a change that holds whatever else changes, unless its own conditions say that it is done."""
        operation = _update(before, changes, now)
        if beside:
            await self._database.transact([operation, *beside])
        else:
            await self._database.write_if(operation)
        return await self._inbox.get(before.tenant, before.id)

    async def _check_person(self, tenant: str, user_id: str, field: str) -> None:
        item = await self._database.get(TENANTS, person_key(tenant, user_id))
        if not item or not user_of(item).is_active:
            raise unprocessable("body", field, "The tenant has no such active person")


def ended_event(conversation: StoredConversation, status: Status, now: Micros) -> WriteOperation:
    """Publish that the conversation left the open ones."""
    data = ConversationEnded.model_validate(
        {
            "conversation_id": conversation.id,
            "bot_id": conversation.bot_id,
            "channel": conversation.channel,
            "external_id": conversation.user.external_id,
            "status": str(status),
            "duration_seconds": conversation.duration_seconds,
        }
    )
    return publish_operation(new_event(conversation.tenant, data, now))


def _closing(before: StoredConversation, status: Status, now: Micros) -> tuple[Changes, Sequence[WriteOperation]]:
    """The change to a closed `status`: no turn is left, and nobody waits for a person."""
    changes: Changes = {
        "set": {"status": str(status), "pending": 0},
        "add": {"epoch": 1},
        "remove": ("handoff", "pending_ids", "pending_since"),
    }
    published = [ended_event(before, status, now)] if before.is_open else []
    return leaving_due(before, changes), [*_queue_entry(before), *published]


def _reopening(before: StoredConversation, now: Micros) -> tuple[Changes, Sequence[WriteOperation]]:
    """The change of a closed or silent conversation to an active one, which its end user must have as the latest.

    One of the end user's names is due when the conversation may be over again.
    """
    latest: Conditions = {"expected": {"conversation_id": before.id}}
    first, *others = (user_key(before.tenant, before.number_id, key) for key in sorted(before.user.keys))
    ends = {"shard": shard_of(before.id), "due": due_text(Micros(now + WINDOW_HOURS * HOUR))}
    users = [update_operation(CONVERSATIONS, first, set=ends, **latest)]
    users += [check_operation(CONVERSATIONS, other, **latest) for other in others]
    changes: Changes = {
        "set": {"status": str(Status.ACTIVE), "last_activity": now},
        "add": {"epoch": 1},
        "remove": ("handoff",),
    }
    return changes, [*users, *_queue_entry(before)]


def _leaving_queue(before: StoredConversation) -> tuple[Changes, Sequence[WriteOperation]]:
    """The change of an escalated conversation to an active one: who answers remains."""
    return {"set": {"status": str(Status.ACTIVE)}, "remove": ("handoff",)}, _queue_entry(before)


def _queue_entry(before: StoredConversation) -> list[WriteOperation]:
    """Delete the entry of the hand-off queue, if there is one."""
    if before.handoff is None:
        return []
    return [discard_operation(CONVERSATIONS, {"tenant": before.tenant, "item": before.handoff})]


def _update(before: StoredConversation, changes: Changes, now: Micros) -> WriteOperation:
    marked: Changes = {**changes, "set": {**changes.get("set", {}), "changed": change_mark(now, before.id)}}
    return update_operation(CONVERSATIONS, conversation_key(before.tenant, before.id), **marked)


def _audit(
    conversation: StoredConversation, action: str, actor: Actor, now: Micros, metadata: Mapping[str, Any]
) -> WriteOperation:
    """The record of a change. It names no message and no end user."""
    event = AuditEvent(conversation.tenant, f"conversation.{action}", "conversation", conversation.id, actor, metadata)
    return audit_operation(event, now)


async def _finished(change: Awaitable[StoredConversation | None]) -> StoredConversation:
    """The conversation after a change of who answers. Raises ApiError 404, 409."""
    try:
        conversation = await change
    except ConversationContended as contended:
        raise conversation_changed() from contended
    if conversation is None:
        raise conversation_not_found()
    return conversation
