"""Turns whose message was thought lost: a status of Meta's that comes late says that it went out."""

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import update_operation
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

_FAILED = {"state": str(TurnState.FAILED), "reason": DELIVERY_UNKNOWN}


async def answer_late(database: Database, message: StoredMessage, now: Micros) -> bool:
    """Show the turn of `message` as answered, if it failed because nobody knew whether the message went out.

    Call it for a message that a status settles as sent, delivered or read. Safe to repeat. Raises Unavailable.
    """
    if message.turn_id is None:
        return False
    tenant, conversation_id = message.tenant, message.conversation_id
    lost = LastTurn(message.turn_id, TurnState.FAILED, DELIVERY_UNKNOWN)
    answered = LastTurn(message.turn_id, TurnState.ANSWERED)
    turn = update_operation(
        MESSAGES,
        {"thread": thread_of(tenant, conversation_id), "item": TURN + message.turn_id},
        set={"state": str(TurnState.ANSWERED)},
        remove=("reason",),
        expected=_FAILED,
    )
    shown = update_operation(
        CONVERSATIONS,
        conversation_key(tenant, conversation_id),
        set={"last_turn": to_last_turn(answered), "changed": change_mark(now, conversation_id)},
        expected={"last_turn": to_last_turn(lost)},
    )
    try:
        await database.transact([turn, shown])
    except TransactionCanceled as canceled:
        if canceled.reasons[0] != "None":
            return False  # it did not fail so
        return await database.write_if(turn)  # a later turn is shown
    return True
