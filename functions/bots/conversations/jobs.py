"""Jobs of the queue `turns`. The source of truth is DynamoDB: a job names the conversation to look at.

    {"kind": "turn", "tenant": …, "conversation": …, "message": id of the message that asks for it, or null}
    {"kind": "send", "tenant": …, "conversation": …}

A turn's job without a message is the scheduler's, or another turn's: it is for whatever is pending. A job may be
delivered twice, late, or after its work was done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.aws.queues import Message


@dataclass(frozen=True, slots=True)
class TurnJob:
    """Answer the pending messages of a conversation, if `message_id` is still the last of them."""

    tenant: str
    conversation_id: str
    message_id: str | None = None

    def message(self, delay_seconds: int = 0) -> Message:
        """The job as the queue carries it."""
        body = {"kind": "turn", "tenant": self.tenant, "conversation": self.conversation_id, "message": self.message_id}
        return Message(body, self.tenant, delay_seconds)


@dataclass(frozen=True, slots=True)
class SendJob:
    """Send the queued messages of a conversation, in their order."""

    tenant: str
    conversation_id: str

    def message(self, delay_seconds: int = 0) -> Message:
        """The job as the queue carries it."""
        body = {"kind": "send", "tenant": self.tenant, "conversation": self.conversation_id}
        return Message(body, self.tenant, delay_seconds)


ConversationJob = TurnJob | SendJob


def parse(body: Mapping[str, Any]) -> ConversationJob:
    """The job in a message's body. Raises ValueError for an unknown one."""
    match body["kind"]:
        case "turn":
            return TurnJob(body["tenant"], body["conversation"], body["message"])
        case "send":
            return SendJob(body["tenant"], body["conversation"])
        case _:
            raise ValueError("an unknown job")
