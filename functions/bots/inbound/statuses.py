"""Applies WhatsApp's statuses to the messages that went out.

A status finds its message by what the message was sent with, `<conversation id>:<message id>`, or by the wamid.
Statuses come in any order, and a message's only goes forwards: sent, delivered, read. `failed` counts for what was not
delivered. Any of them settles a message of which nobody knew whether it went out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import Changes, WriteOperation, update_operation
from callmissed.clock import Clock
from callmissed.events.outbox import Event, publish, publish_operation
from callmissed.platform.tables import CONVERSATIONS, MESSAGES, MESSAGES_BY_WAMID
from functions.bots.conversations.late_delivery import mark_answered, undeliverable_operations
from functions.bots.conversations.messages import (
    DELIVERY_UNKNOWN,
    MESSAGE,
    MessageState,
    SendFailure,
    StoredMessage,
    message_key,
    message_of,
    to_error,
    wamid_key,
)
from functions.bots.conversations.records import StoredConversation, conversation_key, conversation_of
from functions.bots.inbound.events import event_of
from functions.bots.inbound.parts import ReceivedStatus
from functions.bots.outbound.storage import sent_event

_OURS = re.compile("([0-9a-f-]{36}):(msg_[0-9A-Z]{22})")
_ORDER = {
    "sent": MessageState.SENT,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.READ,
    "played": MessageState.READ,
}
_PLACES = [MessageState.SENDING, MessageState.SENT, MessageState.DELIVERED, MessageState.READ]
_TRIES = 8
_REFUSED = "ConditionalCheckFailed"


@dataclass(frozen=True, slots=True)
class _Target:
    """A message that went out, with its conversation."""

    message: StoredMessage
    conversation: StoredConversation


class InboundStatuses:
    """Applies statuses of one stage."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def apply(self, tenant: str, status: ReceivedStatus) -> None:
        """Apply a status and publish it, once. One of a message that went out elsewhere is an event only.

        Raises EventTooLargeError and Unavailable.
        """
        place = await self._place(tenant, status)
        for _ in range(_TRIES):
            target = await self._target(tenant, *place) if place else None
            if await self._done(tenant, status, target):
                return
        raise Unavailable("the message changed at each try", indeterminate=False)

    async def _place(self, tenant: str, status: ReceivedStatus) -> tuple[str, str] | None:
        """Ids of the conversation and the message that the status may be of."""
        if ours := _OURS.fullmatch(status.ours or ""):
            return ours[1], ours[2]
        wamid = wamid_key(tenant, status.wamid)
        page = await self._database.page(MESSAGES, wamid, index=MESSAGES_BY_WAMID, limit=1)
        for item in page.items:
            return item["thread"].rpartition("#")[2], item["item"].removeprefix(MESSAGE)
        return None

    async def _target(self, tenant: str, conversation_id: str, message_id: str) -> _Target | None:
        message, conversation = await self._database.get_across(
            (MESSAGES, message_key(tenant, conversation_id, message_id)),
            (CONVERSATIONS, conversation_key(tenant, conversation_id)),
        )
        if not message or not conversation:
            return None
        target = _Target(message_of(message), conversation_of(conversation))
        return None if target.message.is_inbound else target

    async def _done(self, tenant: str, status: ReceivedStatus, target: _Target | None) -> bool:
        """Apply and publish the status; False if the message changed meanwhile."""
        if target is None:
            await publish(self._database, event_of(tenant, status, self._clock()))
            return True
        conversation, now = target.conversation, self._clock()
        event = event_of(tenant, status, now, conversation_id=conversation.id, bot_id=conversation.bot_id)
        after = next_status(target.message, status.status)
        if after is None:
            await publish(self._database, event)
            return True
        if _is_unknown(target.message) and after is not MessageState.FAILED:
            await self._publish_sent(target, status)
        changes = [status_operation(target.message, after, status)]
        if after is MessageState.FAILED:
            changes += await undeliverable_operations(self._database, target.message, conversation, now)
        return await self._write(event, changes)

    async def _publish_sent(self, target: _Target, status: ReceivedStatus) -> None:
        """Say that a message went out of which nobody knew, and let its turn be an answered one."""
        await self._database.write_if(
            sent_event(replace(target.message, wamid=status.wamid), target.conversation, self._clock())
        )
        await mark_answered(self._database, target.message, self._clock())

    async def _write(self, event: Event, changes: Sequence[WriteOperation]) -> bool:
        try:
            await self._database.transact([publish_operation(event), *changes])
        except TransactionCanceled as canceled:
            return canceled.reasons[0] == _REFUSED
        return True


def next_status(message: StoredMessage, name: str) -> MessageState | None:
    """The message's status after WhatsApp's status `name`; None where it stays as it is."""
    if name == "failed":
        can_fail = _is_unknown(message) or message.status is MessageState.SENT
        return MessageState.FAILED if can_fail else None
    after = _ORDER.get(name)
    if after is None or _is_unknown(message):
        return after
    is_later = message.status in _PLACES and _PLACES.index(after) > _PLACES.index(message.status)
    return after if is_later else None


def status_operation(message: StoredMessage, after: MessageState, status: ReceivedStatus) -> WriteOperation:
    """Give the message its new status, under the condition that it has not changed."""
    changes: Changes = {
        "set": {"status": str(after)},
        "set_missing": {"wamid": wamid_key(message.tenant, status.wamid)},
        "remove": ("attempt",),
        "expected": {"status": str(message.status)},
    }
    if after is MessageState.FAILED:
        changes["set"] = {"status": str(after), "error": to_error(_error(status))}
    elif message.error:
        changes["remove"] = ("attempt", "error")
    return update_operation(MESSAGES, message.key, **changes)


def _is_unknown(message: StoredMessage) -> bool:
    """Whether nobody knows if the message went out."""
    given_up = message.error is not None and message.error.title == DELIVERY_UNKNOWN
    return message.status is MessageState.SENDING or (message.status is MessageState.FAILED and given_up)


def _error(status: ReceivedStatus) -> SendFailure:
    for error in status.errors:
        return SendFailure(error.code, error.title or error.message or "failed", error.details)
    return SendFailure(None, "failed")
