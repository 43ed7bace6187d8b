"""What a test key gets: a validated request, and an answer that says that nothing was sent."""

from callmissed.clock import Micros
from callmissed.idempotency.operation import Operation, derived
from functions.bots.channels.whatsapp.text_parts import text_parts
from functions.bots.whatsapp.messages.drafts import begun_at, message_ids
from functions.bots.whatsapp.messages.schemas import MessageContact, NewText, OutboundMessage, SendResult
from functions.bots.whatsapp.selectors import NewMessage

SANDBOX_PREFIX = "wamid.sandbox."


def sandbox_result(message: NewMessage, kind: str, operation: Operation, now: Micros) -> SendResult:
    """The answer to a message of a test key. It is not stored, and no event follows."""
    parts = len(text_parts(message.text)) if isinstance(message, NewText) else 1
    shown = [
        OutboundMessage(
            id=id,
            conversation_id=str(message.conversation_id) if message.conversation_id else "",
            wamid=SANDBOX_PREFIX + derived(id)[:32],
            status="sent",
            type=kind,
            error=None,
        )
        for id in message_ids(operation, begun_at(operation, now), parts)
    ]
    wamids = [each.wamid for each in shown if each.wamid]
    contact = MessageContact(input=message.given, wa_id=message.wa_id, user_id=message.recipient)
    return SendResult(wamid=wamids[0], wamids=wamids, contacts=[contact], messages=shown)
