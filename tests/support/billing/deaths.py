"""A process that dies, or loses an answer, at one of its requests to DynamoDB."""

from collections.abc import Awaitable
from contextlib import suppress

from callmissed.aws.dynamodb import Unavailable
from tests.support.faults import Crash, Fault, FaultyDynamoDB

FATES = (Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.LOSE_ANSWER)


async def lives(dynamodb: FaultyDynamoDB, step: int, fate: Fault, work: Awaitable[object]) -> bool:
    """Do the work with `fate` at its request `step`; whether it has fewer requests."""
    dynamodb.faults.extend([*[None] * step, fate])
    with suppress(Crash, Unavailable):
        await work
    is_over = bool(dynamodb.faults)
    dynamodb.faults.clear()
    return is_over
