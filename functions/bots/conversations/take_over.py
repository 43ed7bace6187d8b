"""Who answers a conversation: the bot, or a person.

    take over    the bot's answers stop: no message of the bot leaves once the call has returned
    hand back    the bot answers the end user's next message
    escalate     the bot's answers stop, and the conversation waits for a person in the hand-off queue

Every change raises the conversation's epoch, and the bot's claim on the channel has the epoch of its turn as a
condition. So a bot that has not claimed yet never will. One that has claimed begins its request within five seconds of
the claim and has a connection within three more, or gives up: a call that finds such a claim waits until it is gone,
for ten seconds at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import equal, one_of
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, TransactionCanceled
from callmissed.aws.operations import (
    Changes,
    WriteOperation,
    discard_operation,
    put_new_operation,
    update_operation,
)
from callmissed.clock import Clock, Micros
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import ConversationEnded
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.idle import leaving_due
from functions.bots.conversations.records import (
    HANDOFF,
    OPEN,
    Status,
    StoredConversation,
    change_mark,
    conversation_key,
    conversation_of,
)

MAX_WAIT_SECONDS = 10.0
"""Time for which a call waits for a message of the bot that is being sent."""

_POLL_SECONDS = 0.1
_TRIES = 5

Sleep = Callable[[float], Awaitable[None]]


class ConversationContended(Exception):
    """The conversation was changed at the same time at each try, or what goes with the change was refused."""


@dataclass(frozen=True, slots=True)
class TakeOvers:
    """Changes of who answers. Operations `beside` a change, such as its audit record, are executed with it, or neither.

    Every method returns the conversation after the change, None where it does not exist, and raises Unavailable and
    ConversationContended.
    """

    database: Database
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def take_over(
        self,
        tenant: str,
        conversation_id: str,
        *,
        assigned_to: str | None = None,
        beside: Sequence[WriteOperation] = (),
    ) -> StoredConversation | None:
        """Let a person answer, `assigned_to` if that is known. No message of the bot leaves after the return."""
        change = {"autoreply": False} | ({"assigned_to": assigned_to} if assigned_to else {})
        changes: Changes = {"set": change, "add": {"epoch": 1}}
        return await self._wait(await self._change(tenant, conversation_id, changes, beside))

    async def hand_back(
        self, tenant: str, conversation_id: str, *, beside: Sequence[WriteOperation] = ()
    ) -> StoredConversation | None:
        """Let the bot answer the next message. What is pending is a person's; an entry of the hand-off queue goes."""
        for _ in range(_TRIES):
            before = await self._read(tenant, conversation_id)
            if before is None:
                return None
            changes, removed = _hand_back_changes(before, self.clock())
            if after := await self._change(tenant, conversation_id, changes, [*removed, *beside], before=before):
                return after
        raise ConversationContended

    async def escalate(
        self, tenant: str, conversation_id: str, reason: str, *, beside: Sequence[WriteOperation] = ()
    ) -> StoredConversation | None:
        """Put the conversation into the hand-off queue, once. No message of the bot leaves after the return."""
        for _ in range(_TRIES):
            before = await self._read(tenant, conversation_id)
            if before is None or before.handoff or not before.is_open:
                return await self._wait(before)
            escalation = escalation_of(before, reason, self.clock())
            changes: Changes = {
                "set": escalation.changes,
                "add": {"epoch": 1},
                "expected": {"status": equal(str(before.status))},
                "must_not_exist": ("handoff",),
            }
            operations = [*escalation.operations, *beside]
            if after := await self._change(tenant, conversation_id, changes, operations, before=before):
                return await self._wait(after)
        raise ConversationContended

    async def settled(self, tenant: str, conversation_id: str) -> StoredConversation | None:
        """The conversation once no message of the bot is being sent in it. The change before raised the epoch."""
        return await self._wait(await self._read(tenant, conversation_id))

    async def _read(self, tenant: str, conversation_id: str) -> StoredConversation | None:
        item = await self.database.get(CONVERSATIONS, conversation_key(tenant, conversation_id))
        return conversation_of(item) if item else None

    async def _change(
        self,
        tenant: str,
        conversation_id: str,
        changes: Changes,
        beside: Sequence[WriteOperation],
        *,
        before: StoredConversation | None = None,
    ) -> StoredConversation | None:
        """The conversation after the changes; None where it does not exist, or is no longer as it was `before`."""
        key, mark = conversation_key(tenant, conversation_id), change_mark(self.clock(), conversation_id)
        changes = {**changes, "set": {**changes.get("set", {}), "changed": mark}}
        if not beside:
            try:
                return conversation_of(await self.database.update(CONVERSATIONS, key, **changes))
            except ConditionFailed:
                return None
        try:
            await self.database.transact([update_operation(CONVERSATIONS, key, **changes), *beside])
        except TransactionCanceled as canceled:
            if canceled.reasons[0] != "ConditionalCheckFailed" and before is None:
                raise ConversationContended from canceled
            return None
        return await self._read(tenant, conversation_id)

    async def _wait(self, conversation: StoredConversation | None) -> StoredConversation | None:
        """Wait until a message of the bot that is being sent is out, or can't go out any more."""
        if conversation is None or not _sends(conversation):
            return conversation
        claimed = conversation.claim
        for _ in range(round(MAX_WAIT_SECONDS / _POLL_SECONDS)):
            await self.sleep(_POLL_SECONDS)
            now = await self._read(conversation.tenant, conversation.id)
            if now is None or now.claim != claimed:
                return now
        return conversation


@dataclass(frozen=True, slots=True)
class Escalation:
    """What an escalation changes in a conversation, and the operations that go with that change."""

    changes: Item
    operations: Sequence[WriteOperation]


def escalation_of(conversation: StoredConversation, reason: str, now: Micros) -> Escalation:
    """The escalation of an open conversation: autoreply off, an entry of the hand-off queue, `conversation.ended`.

    Raise the epoch in the same write.
    """
    key = f"{HANDOFF}{change_mark(now, conversation.id)}"
    entry: dict[str, Any] = {
        "tenant": conversation.tenant,
        "item": key,
        "conversation_id": conversation.id,
        "reason": reason,
        "created": now,
    }
    operations = [put_new_operation(CONVERSATIONS, entry)]
    if conversation.bot_id and conversation.status is Status.ACTIVE:
        operations.append(publish_operation(new_event(conversation.tenant, _ended(conversation, now), now)))
    return Escalation({"status": str(Status.ESCALATED), "autoreply": False, "handoff": key}, operations)


def _ended(conversation: StoredConversation, now: Micros) -> ConversationEnded:
    return ConversationEnded(
        conversation_id=conversation.id,
        bot_id=conversation.bot_id or "",
        channel="whatsapp",
        external_id=conversation.user.external_id,
        status="escalated",
        duration_seconds=max(0, now - conversation.created) // 1_000_000,
    )


def _hand_back_changes(before: StoredConversation, now: Micros) -> tuple[Changes, list[WriteOperation]]:
    status = {"status": str(Status.ACTIVE)} if before.is_open else {}
    changes: Changes = {
        "set": {"autoreply": True, "pending": 0, "handed_back_at": now, **status},
        "add": {"epoch": 1},
        "remove": ("assigned_to", "handoff", "pending_ids", "pending_since"),
        "expected": {
            "epoch": before.epoch,
            "status": one_of(*map(str, OPEN)) if before.is_open else str(before.status),
        },
    }
    if before.handoff is None:
        return leaving_due(before, {**changes, "must_not_exist": ("handoff",)}), []
    return leaving_due(before, changes), [
        discard_operation(CONVERSATIONS, {"tenant": before.tenant, "item": before.handoff})
    ]


def _sends(conversation: StoredConversation) -> bool:
    return conversation.claim is not None and conversation.claim.by_bot
