"""Workers that die at any request to DynamoDB, and answers that get lost: no message twice, no charge twice, an end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from callmissed.aws.dynamodb import Unavailable
from functions.bots.conversations.jobs import TurnJob
from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from tests.support.bots.turns import BotProcess, Chat, NewChat
from tests.support.faults import Crash, Fault, FaultyDynamoDB
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Accounts, settings_for
from tests.support.inference.upstream import FakeUpstream

MAX_REQUESTS = 40


@pytest.fixture
def faulty(store: StageTables, providers_file: Path, graph: FakeGraph) -> Callable[..., BotProcess]:
    """Makes processes whose `number`th request to DynamoDB has a fault; the others fare well."""

    def make(number: int, fault: Fault) -> BotProcess:
        dynamodb = FaultyDynamoDB(store.endpoint)
        dynamodb.faults.extend([*[None] * number, fault])
        return BotProcess(settings_for(store, providers_file), dynamodb, graph)

    return make


async def ends(chat: Chat) -> None:
    """Let the scheduler and later workers do what is left, each minute."""
    for _ in range(8):
        if not (await chat.conversation()).due:
            return
        chat.process.clock.pass_(61)
        await chat.process.process(chat.job())
        await chat.process.drain()
    raise AssertionError("the conversation waits for ever")


@pytest.mark.parametrize("fault", [Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.LOSE_ANSWER], ids=lambda fault: fault.name)
async def test_turn_ends_wherever_its_worker_dies(
    new_chat: NewChat,
    faulty: Callable[[int, Fault], BotProcess],
    accounts: Accounts,
    upstream: FakeUpstream,
    fault: Fault,
) -> None:
    states: set[str] = set()
    for number in range(MAX_REQUESTS):
        chat = await new_chat()
        upstream.will(reply(completion("Yes, we do.")))
        question = await chat.says("Do you have bread?")
        process = faulty(number, fault)
        done = await died_or_done(process, chat.job(question))
        left = bool(process.dynamodb.faults)  # pyright: ignore[reportAttributeAccessIssue]
        await process.close()
        await ends(chat)
        upstream.forget()
        await accounts.sweep()

        last = (await chat.conversation()).last_turn
        assert last, number
        states.add(f"{last.state} {last.reason}")
        assert len(chat.sent) <= 1, number
        assert chat.sent or last.state != "answered", number
        assert len(await chat.turns()) == 1, number
        entries = [entry for entry in await accounts.entries(chat.tenant) if entry["amount"]]
        assert len(entries) <= 1, number
        assert {entry.get("reference") for entry in entries} <= {last.id}, number
        await accounts.assert_balanced(chat.account)
        if left:
            assert done
            break
    else:
        raise AssertionError("the turn has more requests than are tested")
    assert states <= {"answered None", "failed delivery_unknown", "failed model_unavailable"}, states
    assert "answered None" in states


async def died_or_done(process: BotProcess, job: TurnJob) -> bool:
    """Whether the process did the job. Of one that died no task is left."""
    before = asyncio.all_tasks()
    try:
        await process.process(job)
    except (Crash, Unavailable):
        left = asyncio.all_tasks() - before
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return False
    return True
