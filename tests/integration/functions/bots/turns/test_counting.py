"""The plan's count of conversations when many begin at once."""

from typing import Any

import pytest

from callmissed.aws.dynamodb import Unavailable
from functions.bots.turns.counting import ATTEMPTS
from tests.support.bots.turn_retries import faulty
from tests.support.bots.turns import Chat


@pytest.mark.parametrize(("conflicts", "tries"), [(ATTEMPTS - 1, 1), (2 * ATTEMPTS - 1, 2)])
async def test_first_turn_outlasts_conflicts_on_the_count_of_the_month(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, conflicts: int, tries: int
) -> None:
    dynamodb, left = faulty(chat), conflicts
    send = dynamodb.send

    async def in_conflict(operation: str, payload: bytes) -> dict[str, Any]:
        nonlocal left
        if b"MONTH#" in payload and left:
            left -= 1
            raise Unavailable("transaction cancelled: None, TransactionConflict", indeterminate=False)
        return await send(operation, payload)

    monkeypatch.setattr(dynamodb, "send", in_conflict)
    monkeypatch.setattr("callmissed.aws.dynamodb._BACKOFF_SECONDS", 0.001)
    message = await chat.says("Do you have bread?")
    if tries > 1:
        with pytest.raises(Unavailable):
            await chat.process.process(chat.job(message))
        [job] = chat.process.queue.take()
        assert job.delay_seconds == 5, "another worker takes the turn on, and no lease stays"

    await chat.process.process(chat.job())

    assert await chat.outcome() == ("answered", None)
    assert (await chat.conversation()).counted
    assert left == 0
