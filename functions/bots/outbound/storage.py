"""Outbound messages in the table, and what their sending changes there.

Besides messages and turns, a conversation's partition has:

    QUEUED#<place>#<part>  the mark of a message that waits to be sent: `id`, and `first` of the parts of its text;
                           `place` counts the conversation's texts that ever waited
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, put_operation
from callmissed.clock import Micros
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import MessageSent
from callmissed.platform.tables import MESSAGES
from functions.bots.conversations.messages import (
    DELIVERY_UNKNOWN,
    MessageState,
    SendFailure,
    StoredMessage,
    message_key,
    message_of,
    to_error,
    to_message_item,
    wamid_key,
)
from functions.bots.conversations.records import StoredConversation

QUEUED = "QUEUED#"


@dataclass(frozen=True, slots=True)
class QueueMark:
    """A message that waits. `first` is the first part of its text."""

    thread: str
    item: str
    message_id: str
    first: str

    @property
    def removal(self) -> WriteOperation:
        """Remove the mark, which must be there."""
        return delete_operation(MESSAGES, {"thread": self.thread, "item": self.item})


class OutboundMessages:
    """Outbound messages of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, conversation: StoredConversation, message_id: str) -> StoredMessage | None:
        """The message as it is."""
        item = await self._database.get(MESSAGES, message_key(conversation.tenant, conversation.id, message_id))
        return message_of(item) if item else None

    async def sending(self, conversation: StoredConversation, message_id: str) -> tuple[StoredMessage, Micros] | None:
        """The message and when it began to leave, while nobody knows whether it went out."""
        item = await self._database.get(MESSAGES, message_key(conversation.tenant, conversation.id, message_id))
        if not item or item["status"] != _SENDING:
            return None
        return message_of(item), Micros(item.get("attempt", item["created"]))

    async def stored(self, conversation: StoredConversation, ids: Sequence[str]) -> list[StoredMessage]:
        """Those messages of at most 100 `ids` that exist, in the order of the ids."""
        keys = [message_key(conversation.tenant, conversation.id, id) for id in ids]
        return [message_of(item) for item in await self._database.get_all(MESSAGES, keys)]

    async def put(self, message: StoredMessage) -> bool:
        """Store a new message; False if there is another one of its id."""
        return not await self._database.put_new(MESSAGES, to_message_item(message))

    async def begin(self, message: StoredMessage, attempt: Micros) -> bool:
        """Mark a queued message as being sent by the claim of `attempt`; False if it no longer waits."""
        changes = {"status": _SENDING, "attempt": attempt}
        try:
            await self._database.update(MESSAGES, message.key, set=changes, expected={"status": _QUEUED})
        except ConditionFailed as failed:
            return failed.indeterminate and failed.item.get("attempt") == attempt
        return True

    async def fail_waiting(self, message_id: str, conversation: StoredConversation, error: SendFailure) -> None:
        """Mark a message that waits as failed."""
        key = message_key(conversation.tenant, conversation.id, message_id)
        await self._database.update_if(MESSAGES, key, set=failed_values(error), expected={"status": _QUEUED})

    async def put_back(self, message: StoredMessage, attempt: Micros) -> None:
        """Let a message of which the claim of `attempt` sent nothing wait again."""
        await self._database.update_if(
            MESSAGES,
            message.key,
            set={"status": _QUEUED},
            remove=("attempt",),
            expected={"status": _SENDING, "attempt": attempt},
        )

    async def retried(self, message: StoredMessage, now: Micros) -> Micros:
        """When the request of the failed message was run again, `now` for the first time."""
        return Micros((await self._database.update(MESSAGES, message.key, set_missing={"retried": now}))["retried"])

    async def drop(self, message: StoredMessage) -> None:
        """Remove a new message that did not leave."""
        await self._database.delete_if(MESSAGES, message.key, expected={"status": _SENDING})

    async def settle(self, message: StoredMessage, outcome: Item) -> StoredMessage:
        """The message with its outcome: `sent` with a wamid, or `failed` with an error.

        A status of Meta's may have come first, and counts then.
        """
        sending = {"status": _SENDING}
        try:
            item = await self._database.update(
                MESSAGES, message.key, set=outcome, remove=("attempt",), expected=sending
            )
        except ConditionFailed as failed:
            if not failed.item:
                return replace(message, status=MessageState(outcome["status"]))
            item = failed.item
            if "wamid" in outcome and "wamid" not in item:
                item = await self._database.update(MESSAGES, message.key, set_missing={"wamid": outcome["wamid"]})
        return message_of(item)

    async def waiting(self, conversation: StoredConversation) -> list[QueueMark]:
        """The marks of messages that wait, in their order."""
        selected = self._database.query(MESSAGES, conversation.thread, sort=begins_with(QUEUED), consistent=True)
        return [QueueMark(item["thread"], item["item"], item["id"], item["first"]) async for item in selected]


_QUEUED, _SENDING = str(MessageState.QUEUED), str(MessageState.SENDING)


def sent_values(message: StoredMessage, wamid: str) -> Item:
    """The attributes of a message that Graph took."""
    return {"status": str(MessageState.SENT), "wamid": wamid_key(message.tenant, wamid)}


def failed_values(error: SendFailure) -> Item:
    """The attributes of a message that did not go out, or of which nobody knows."""
    return {"status": str(MessageState.FAILED), "error": to_error(error)}


def unknown_delivery() -> SendFailure:
    """The error of a message of which nobody knows whether it went out."""
    return SendFailure(None, DELIVERY_UNKNOWN, "Meta gave no answer, and no status of the message came.")


def unknown_before() -> SendFailure:
    """The error of a part that did not go out, because nobody knows whether the part before it did."""
    return SendFailure(None, "earlier_part_unknown", "Nobody knows whether the part before it went out.")


def queued_puts(messages: Sequence[StoredMessage], place: int) -> list[WriteOperation]:
    """Store the parts of a text, which wait to be sent in their order, and their marks at a `place` of their own."""
    first = messages[0].id
    writes: list[WriteOperation] = []
    for part, message in enumerate(messages):
        key = {"thread": message.key["thread"], "item": f"{QUEUED}{place:012d}#{part:03d}"}
        mark = key | {"tenant": message.tenant, "id": message.id, "first": first}
        writes += [put_new_operation(MESSAGES, to_message_item(message)), put_operation(MESSAGES, mark)]
    return writes


def sent_event(message: StoredMessage, conversation: StoredConversation, now: Micros) -> WriteOperation:
    """Publish `message.sent`, once for each message."""
    data = MessageSent(
        conversation_id=conversation.id,
        bot_id=conversation.bot_id,
        channel="whatsapp",
        to=conversation.user.external_id,
        message_id=message.wamid or "",
        type=message.type,
        text=message.text,
    )
    return publish_operation(new_event(conversation.tenant, data, now, unique=message.id))
