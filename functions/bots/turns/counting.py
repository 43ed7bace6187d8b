"""The plan's limit of conversations: one counts in the month of its first turn."""

from callmissed.aws.comparisons import below, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import update_operation
from callmissed.clock import Micros, month_of
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.records import month_key, to_lease
from functions.bots.turns.leases import Leased

_REFUSED = "ConditionalCheckFailed"
ATTEMPTS = 9
"""Requests in some six seconds; a worker that is refused by all of them leaves the turn to another one."""


async def count_conversation(database: Database, leased: Leased, limit: int, now: Micros) -> bool:
    """Count the conversation in this month, once; False when the month has `limit` conversations already.

    Conversation and count change in one transaction, so that no number of workers exceeds the limit. A conversation
    that is counted is not counted again. First turns of one tenant at the same moment conflict, so that this is tried
    for longer than other writes. Raises Unavailable.
    """
    conversation, month = leased.conversation, month_of(now)
    if conversation.counted is not None:
        return True
    mark = update_operation(
        CONVERSATIONS,
        conversation.key,
        set={"counted": month},
        expected={"lease": to_lease(leased.lease)},
        must_not_exist=("counted",),
    )
    key = month_key(conversation.tenant, month)
    add = update_operation(CONVERSATIONS, key, add={"n": 1}, expected={"n": missing_or(below(limit))}, upsert=True)
    try:
        await database.transact([mark, add], attempts=ATTEMPTS)
    except TransactionCanceled as canceled:
        return canceled.reasons[0] == _REFUSED  # counted before, or the lease was lost, which the claim finds
    return True
