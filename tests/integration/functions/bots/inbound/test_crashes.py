"""Processes that die at any step, and answers of DynamoDB that get lost, while a message or a status is stored."""

from contextlib import suppress
from typing import Any

import pytest

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from functions.bots.conversations.messages import MessageState
from local.aws.tables import StageTables
from tests.integration.functions.bots.inbound.test_statuses import sent
from tests.support.bots.inbound import NUMBER, Inbound, queued
from tests.support.interleaving import InterleavingDynamoDB
from tests.support.webhooks.callbacks import change, message, status
from tests.support.webhooks.crashes import CrashingDynamoDB, CrashPlan, ProcessDied

DAY = 24 * 3600


async def run_dying(inbound: Inbound, tables: StageTables, items: list[Item], number: int) -> bool:
    """Process `items` in a process that dies at step `number`; whether it did."""
    dynamodb = CrashingDynamoDB(tables.endpoint, CrashPlan(number))
    died = False
    with suppress(ProcessDied):
        await inbound.worker(Database(dynamodb, tables.stage)).failures(queued(items))
        died = True
    await dynamodb.close()
    return not died


@pytest.mark.parametrize("step", range(1, 11))
async def test_message_of_a_process_that_died_is_stored_once(inbound: Inbound, tables: StageTables, step: int) -> None:
    await inbound.receive(message("wamid.1"))
    inbound.pass_time(DAY)
    inbound.jobs.taken()
    items = await inbound.post(change(NUMBER, messages=[message("wamid.2")]))

    await run_dying(inbound, tables, items, step)
    inbound.jobs.taken()
    assert await inbound.worker().failures(queued(items)) == []

    conversations = await inbound.conversations()
    assert [each.pending for each in conversations] == [0, 1]
    assert len(await inbound.messages()) == 2
    assert len(await inbound.events("conversation.ended")) == 1
    assert [job.body["conversation"] for job in inbound.jobs.taken()] == [conversations[-1].id]


@pytest.mark.parametrize("step", range(1, 9))
async def test_status_of_a_process_that_died_is_applied_once(inbound: Inbound, tables: StageTables, step: int) -> None:
    out = await sent(inbound, MessageState.SENDING, wamid=None)
    ours = {"biz_opaque_callback_data": f"{out.conversation_id}:{out.id}"}
    items = await inbound.post(change(NUMBER, statuses=[status("wamid.out", "delivered", **ours)]))

    await run_dying(inbound, tables, items, step)
    assert await inbound.worker().failures(queued(items)) == []

    _, settled = sorted(await inbound.messages(), key=lambda each: each.author, reverse=True)
    assert (settled.status, settled.wamid) == (MessageState.DELIVERED, "wamid.out")
    assert len(await inbound.events("message.sent")) == len(await inbound.events("message.status")) == 1


class LossyDynamoDB(InterleavingDynamoDB):
    """Loses the answers of the first requests of `operation`, which DynamoDB applied."""

    def __init__(self, endpoint: str, operation: str, lost: int) -> None:
        super().__init__(endpoint)
        self._operation, self.left = operation, lost

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        answer = await super().send(operation, payload)
        if operation == self._operation and self.left:
            self.left -= 1
            raise Unavailable("lost", indeterminate=True)
        return answer


@pytest.mark.parametrize("lost", [1, 3, 4])
@pytest.mark.parametrize("operation", ["GetItem", "BatchGetItem", "TransactWriteItems"])
async def test_lost_answers_store_a_message_once(
    inbound: Inbound, tables: StageTables, operation: str, lost: int
) -> None:
    items = await inbound.post(change(NUMBER, messages=[message("wamid.1")]))
    dynamodb = LossyDynamoDB(tables.endpoint, operation, lost)
    worker = inbound.worker(Database(dynamodb, tables.stage))

    while await worker.failures(queued(items)):
        assert not inbound.jobs.taken()

    conversation = await inbound.conversation()
    assert (dynamodb.left, conversation.pending, len(await inbound.messages())) == (0, 1, 1)
    assert len(inbound.jobs.taken()) == 1
    await dynamodb.close()


async def test_conflicts_of_transactions_are_tried_again(inbound: Inbound, tables: StageTables) -> None:
    items = await inbound.post(change(NUMBER, messages=[message("wamid.1")]))

    class Conflicting(InterleavingDynamoDB):
        left = 6

        async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
            if operation == "TransactWriteItems" and self.left:
                self.left -= 1
                raise Unavailable("transaction cancelled: TransactionConflict", indeterminate=False)
            return await super().send(operation, payload)

    dynamodb = Conflicting(tables.endpoint)
    assert await inbound.worker(Database(dynamodb, tables.stage)).failures(queued(items)) == []

    assert dynamodb.left == 0
    assert (await inbound.conversation()).pending == 1
    await dynamodb.close()
