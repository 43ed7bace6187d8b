"""The plan's limit of conversations: one counts in the month of its first turn."""

import asyncio
import random
from collections.abc import Sequence

from callmissed.aws.comparisons import below, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.clock import Micros, month_of
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.records import month_key, to_lease
from functions.bots.turns.leases import Leased

_REFUSED = "ConditionalCheckFailed"
_TRIES = 8
_PAUSE_SECONDS = 0.05


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
        await _transact(database, [mark, add])
    except TransactionCanceled as canceled:
        return canceled.reasons[0] == _REFUSED  # counted before, or the lease was lost, which the claim finds
    return True


async def _transact(database: Database, operations: Sequence[WriteOperation]) -> None:
    for attempt in range(1, _TRIES):
        try:
            await database.transact(operations)
            return
        except Unavailable as unavailable:
            if unavailable.indeterminate:
                raise
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311
    await database.transact(operations)
