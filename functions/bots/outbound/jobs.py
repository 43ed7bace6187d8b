"""Jobs that send what waits."""

from callmissed.aws.queues import Message

SEND = "send"
"""Kind of the job that sends a conversation's waiting messages."""


def send_job(tenant: str, conversation_id: str, delay_seconds: int = 0) -> Message:
    """Send the waiting messages of a conversation. A job of a conversation without any does nothing."""
    body = {"kind": SEND, "tenant": tenant, "conversation": conversation_id}
    return Message(body, group=tenant, delay_seconds=delay_seconds)
