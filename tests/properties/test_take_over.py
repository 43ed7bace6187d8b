"""Take-over against turns, at every request of a worker: no message of the bot is accepted after the call returned."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from tests.support.bots.supervised import BOT, WAYS, SupervisedChat
from tests.support.bots.turns import BotProcess, Chat
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.inference.behaviours import completion, ordinary, reply
from tests.support.inference.fixtures import accounts, lab, providers_file, store, upstream
from tests.support.inference.gateway import Accounts, settings_for
from tests.support.inference.upstream import FakeUpstream

__all__ = ["accounts", "lab", "providers_file", "store", "upstream"]

MAX_REQUESTS = 26
"""More than a turn of two parts makes: a person who acts before a later one acts after the turn."""

FEW = settings(max_examples=max(12, settings().max_examples // 7))
STEPS = st.lists(
    st.tuples(
        st.integers(1, MAX_REQUESTS),
        st.sampled_from([*WAYS, "nothing"]),
        st.none() | st.tuples(st.integers(0, MAX_REQUESTS), st.sampled_from([Fault.DIE_BEFORE, Fault.DIE_AFTER])),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)
"""Turns: before which request a person acts and how, a fault of a request, and whether the bot gets it back."""


@pytest.fixture(scope="module")
def graph() -> Iterator[FakeGraph]:
    with FakeGraph().serving() as graph:
        yield graph


@given(steps=STEPS, parts=st.integers(1, 2))
@FEW
@example(steps=[(7, "take_over", None, False)], parts=1)
@example(steps=[(12, "answer", None, True), (12, "escalate", None, True)], parts=2)
@example(steps=[(7, "echo", None, True), (13, "echo", None, False)], parts=2)
@example(steps=[(13, "answer", (11, Fault.DIE_AFTER), False)], parts=1)
@example(steps=[(1, "nothing", (6, Fault.DIE_AFTER), False)], parts=1)
async def test_no_message_of_the_bot_leaves_after_a_person_took_over(
    store: StageTables,
    providers_file: Path,
    graph: FakeGraph,
    accounts: Accounts,
    lab: FakeUpstream,
    steps: list[tuple[int, str, tuple[int, Fault] | None, bool]],
    parts: int,
) -> None:
    dynamodb = FaultyDynamoDB(store.endpoint)
    process = BotProcess(settings_for(store, providers_file), dynamodb, graph)
    chat = await Chat(process, await accounts.account(), accounts.dynamodb, store.stage).open()
    supervised = SupervisedChat(chat, dynamodb)
    lab.otherwise = reply(completion(f"{BOT}. " * (1 if parts == 1 else 300)))
    try:
        for number, way, fault, handed_back in steps:
            await chat.says("Do you have bread?")
            if fault:
                dynamodb.faults.extend([*[None] * fault[0], fault[1]])
            await supervised.work(number, way)
            dynamodb.forget()
            supervised.check()
            await later(chat)
            supervised.check()
            if handed_back:
                await supervised.hand_back()
    finally:
        lab.otherwise = ordinary
        await process.close()


async def later(chat: Chat) -> None:
    """Let other workers take on what one left, as long as anything waits."""
    for _ in range(4):
        if (await chat.conversation()).due:
            chat.process.clock.pass_(61)
            await chat.process.process(chat.job())
            await chat.process.drain()
