"""The end of a conversation after a day's silence."""

from callmissed.aws.operations import Changes, WriteOperation, discard_operation, update_operation
from callmissed.clock import Micros
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import ConversationEnded
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.idle import leaving_due
from functions.bots.conversations.records import Status, StoredConversation, change_mark


def completion_operations(conversation: StoredConversation, now: Micros) -> list[WriteOperation]:
    """Complete a silent conversation, the first operation, which fails if it is not as it was read.

    `conversation.ended` is published, and an entry of the hand-off queue goes. The conversation stays in the index
    `due` as long as a turn is not ended, or a message is being sent, or waits to be sent.
    """
    changes: Changes = {
        "set": {"status": str(Status.COMPLETED), "changed": change_mark(now, conversation.id), "pending": 0},
        "add": {"epoch": 1},
        "remove": ("handoff", "pending_ids", "pending_since"),
        "expected": {
            "status": str(conversation.status),
            "last_activity": conversation.last_activity,
            "epoch": conversation.epoch,
        },
    }
    operations = [update_operation(CONVERSATIONS, conversation.key, **leaving_due(conversation, changes))]
    if conversation.handoff:
        operations.append(
            discard_operation(CONVERSATIONS, {"tenant": conversation.tenant, "item": conversation.handoff})
        )
    return [*operations, publish_operation(new_event(conversation.tenant, _ended(conversation), now))]


def _ended(conversation: StoredConversation) -> ConversationEnded:
    return ConversationEnded(
        conversation_id=conversation.id,
        bot_id=conversation.bot_id,
        channel="whatsapp",
        external_id=conversation.user.external_id,
        status="completed",
        duration_seconds=conversation.duration_seconds,
    )
