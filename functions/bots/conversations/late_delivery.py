"""What a late status of WhatsApp's says of a turn of which nobody knew whether its answer went out."""

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.platform.tables import CONVERSATIONS, MESSAGES
from functions.bots.conversations.messages import DELIVERY_UNKNOWN, TURN, StoredMessage
from functions.bots.conversations.records import (
    LastTurn,
    TurnState,
    change_mark,
    conversation_key,
    thread_of,
    to_last_turn,
)


async def mark_answered(database: Database, message: StoredMessage, now: Micros) -> None:
    """Let the turn of `message`, which went out after all, be an answered one. Idempotent. Raises Unavailable."""
    if message.turn_id is None:
        return
    turn = {"thread": thread_of(message.tenant, message.conversation_id), "item": TURN + message.turn_id}
    unknown = {"state": str(TurnState.FAILED), "reason": DELIVERY_UNKNOWN}
    await database.update_if(
        MESSAGES, turn, set={"state": str(TurnState.ANSWERED)}, remove=("reason",), expected=unknown
    )
    failed = LastTurn(message.turn_id, TurnState.FAILED, DELIVERY_UNKNOWN)
    answered = LastTurn(message.turn_id, TurnState.ANSWERED)
    await database.update_if(
        CONVERSATIONS,
        conversation_key(message.tenant, message.conversation_id),
        set={"last_turn": to_last_turn(answered), "changed": change_mark(now, message.conversation_id)},
        expected={"last_turn": to_last_turn(failed)},
    )
