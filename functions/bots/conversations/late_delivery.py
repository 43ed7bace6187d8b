"""What a late status of WhatsApp's says of a turn.

A turn of which nobody knew whether its answer went out becomes an answered one, if the status is of the answer's last
part. A turn whose message failed after all becomes a failed one.
"""

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import Changes, WriteOperation, update_operation
from callmissed.clock import Micros
from callmissed.platform.tables import CONVERSATIONS, MESSAGES
from functions.bots.conversations.answer_counts import with_one_more
from functions.bots.conversations.messages import DELIVERY_UNKNOWN, TURN, StoredMessage, StoredTurn, turn_of
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import (
    LastTurn,
    StoredConversation,
    TurnState,
    change_mark,
    conversation_key,
    conversation_of,
    thread_of,
    to_last_turn,
    to_lease,
)

_TRIES = 8


async def mark_answered(database: Database, message: StoredMessage, now: Micros) -> None:
    """Let the turn whose whole answer went out with `message` be an answered one. Idempotent. Raises Unavailable."""
    if not message.ends_answer:
        return
    for _ in range(_TRIES):
        turn, conversation = await _turn(database, message), await _conversation(database, message)
        if turn is None or conversation is None or not _is_unknown(turn):
            return
        operations = _settling(turn, conversation, LastTurn(turn.id, TurnState.ANSWERED), now)
        if await _written(database, operations):
            return
    raise Unavailable("the conversation changed at each try", indeterminate=False)


async def undeliverable_operations(
    database: Database, message: StoredMessage, conversation: StoredConversation, now: Micros
) -> list[WriteOperation]:
    """Show in conversation and turn that `message` failed, if they are as they were read.

    A turn under way finds it in the conversation, and ends accordingly.
    """
    turn, lease = await _turn(database, message), conversation.lease
    if turn and (turn.state is TurnState.ANSWERED or _is_unknown(turn)):
        return _settling(turn, conversation, LastTurn(turn.id, TurnState.FAILED, Reason.UNDELIVERABLE), now)
    changes: Changes = {"set": {"changed": change_mark(now, conversation.id)}}
    if turn is None and lease and lease.turn_id == message.turn_id:
        changes |= {"add": {"undelivered": frozenset({message.id})}, "expected": {"lease": to_lease(lease)}}
    return [update_operation(CONVERSATIONS, conversation.key, **changes)]


def _settling(turn: StoredTurn, conversation: StoredConversation, after: LastTurn, now: Micros) -> list[WriteOperation]:
    """Give the turn the state and the reason of `after`, also where the conversation shows it, and count an answer."""
    changed: Item = {"changed": change_mark(now, conversation.id)}
    expected: Item = {}
    if conversation.last_turn and conversation.last_turn.id == turn.id:
        changed["last_turn"] = to_last_turn(after)
        expected["last_turn"] = to_last_turn(conversation.last_turn)
    if after.state is TurnState.ANSWERED:
        changed |= with_one_more(conversation, now)
        expected["answers"] = missing_or(equal(conversation.answers))
    settled: Changes = {"set": {"state": str(after.state)}, "expected": {"state": str(turn.state)}}
    if after.reason:
        settled["set"] = {"state": str(after.state), "reason": after.reason}
    else:
        settled["remove"] = ("reason",)
    return [
        update_operation(MESSAGES, turn.key, **settled),
        update_operation(CONVERSATIONS, conversation.key, set=changed, expected=expected),
    ]


def _is_unknown(turn: StoredTurn) -> bool:
    return turn.state is TurnState.FAILED and turn.reason == DELIVERY_UNKNOWN


async def _turn(database: Database, message: StoredMessage) -> StoredTurn | None:
    if message.turn_id is None:
        return None
    thread = thread_of(message.tenant, message.conversation_id)
    item = await database.get(MESSAGES, {"thread": thread, "item": TURN + message.turn_id})
    return turn_of(item) if item else None


async def _conversation(database: Database, message: StoredMessage) -> StoredConversation | None:
    item = await database.get(CONVERSATIONS, conversation_key(message.tenant, message.conversation_id))
    return conversation_of(item) if item else None


async def _written(database: Database, operations: list[WriteOperation]) -> bool:
    try:
        await database.transact(operations)
    except TransactionCanceled:
        return False
    return True
