"""Turns that can't go on at the moment: another worker takes them on soon, and they fail when that takes too long."""

import asyncio
from typing import Any

import pytest

from callmissed.platform.tables import CONVERSATIONS
from functions.bots.bots.asking import ModelReply
from functions.bots.turns.thinking import Thinker
from tests.support.bots.turn_retries import faulty, is_claim, pass_minutes, waits_in_queue, without_waits
from tests.support.bots.turns import Chat
from tests.support.faults import Fault
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, Gate

LONG = "The first part. " * 250 + "\n\n" + "The second part. " * 200
PAIR_RATE = 131056


@pytest.fixture
def time(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock by which the worker keeps its deadlines."""
    now = [1000.0]
    monkeypatch.setattr(chat.process.worker._turns, "_monotonic", lambda: now[0])
    return now


class RecordingThinker:
    """Records for how long the model may think."""

    def __init__(self, thinker: Thinker) -> None:
        self.seconds: list[float] = []
        self._thinker = thinker

    async def reply(self, tenant: str, turn_id: str, reads: str, body: dict[str, Any], seconds: float) -> ModelReply:
        self.seconds.append(round(seconds, 3))
        return await self._thinker.reply(tenant, turn_id, reads, body, seconds)


async def test_messages_that_wait_and_a_turn_do_not_block_each_other(chat: Chat, accounts: Accounts) -> None:
    without_waits(chat.process)
    await chat.says("Do you have bread?")
    await waits_in_queue(chat, "An offer")

    await pass_minutes(chat, 3)

    assert chat.sent == ["An offer", "Hello there"]
    assert await chat.outcome() == ("answered", None)
    assert len(await accounts.entries(chat.tenant)) == 1


async def test_turn_that_waits_too_long_for_other_messages_fails(chat: Chat) -> None:
    without_waits(chat.process)
    chat.process.graph.fault("error", code=PAIR_RATE, times=None, to=chat.wa_id)
    await chat.says("Do you have bread?")
    await waits_in_queue(chat, "An offer")

    await pass_minutes(chat, 7)

    assert await chat.outcome() == ("failed", "conversation_busy")
    assert (await chat.conversation()).queued == 1
    chat.process.graph.clear_faults()
    await pass_minutes(chat, 3)
    assert chat.sent == ["An offer"]
    assert (await chat.conversation()).due is None


async def test_answer_that_meta_takes_a_little_later_is_not_lost(chat: Chat, accounts: Accounts) -> None:
    without_waits(chat.process)
    chat.process.graph.fault("error", code=PAIR_RATE, times=None, to=chat.wa_id)
    await chat.asks()
    [job] = chat.process.queue.take()
    assert (job.body["message"], job.delay_seconds) == (None, 5)
    chat.process.graph.clear_faults()

    await pass_minutes(chat, 1)

    assert chat.sent == ["Hello there"]
    assert await chat.outcome() == ("answered", None)
    assert [message.author for message in await chat.messages()] == ["user", "bot"]
    assert len(await accounts.entries(chat.tenant)) == 1


async def test_answer_that_meta_takes_at_no_try_fails_with_the_reason(chat: Chat) -> None:
    without_waits(chat.process)
    chat.process.graph.fault("error", code=PAIR_RATE, times=None, to=chat.wa_id)
    await chat.asks()

    await pass_minutes(chat, 7)

    assert await chat.outcome() == ("failed", "rate_limited")
    (answer,) = [message for message in await chat.messages() if message.author == "bot"]
    assert answer.error
    assert answer.error.code == PAIR_RATE
    assert (chat.sent, (await chat.conversation()).due) == ([], None)


async def test_token_that_cannot_be_unsealed_ends_the_turn_before_it_is_paid(
    chat: Chat, accounts: Accounts, upstream: FakeUpstream
) -> None:
    await chat.number(token="torn")

    await chat.asks()

    assert await chat.outcome() == ("failed", "number_disconnected")
    assert upstream.requests == []
    await accounts.assert_untouched(chat.account)


async def test_error_that_nobody_expected_ends_the_turn_by_its_age(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(chat.process.worker._turns, "_answer", broken)
    message = await chat.says("Hello")
    with pytest.raises(ZeroDivisionError):
        await chat.process.process(chat.job(message))
    assert [job.delay_seconds for job in chat.process.queue.take()] == [5]

    await pass_minutes(chat, 7)

    assert await chat.outcome() == ("failed", "internal_error")
    assert (await chat.conversation()).due is None


async def test_turn_goes_on_at_once_when_dynamodb_answers_again(chat: Chat) -> None:
    faulty(chat).before("BatchGetItem", lambda: _throttled(chat), matching=lambda _: True)
    message = await chat.says("Hello")
    with pytest.raises(Exception, match="Throughput"):
        await chat.process.process(chat.job(message))
    [job] = chat.process.queue.messages
    assert job.delay_seconds == 5

    await chat.process.drain()

    assert await chat.outcome() == ("answered", None)


async def _throttled(chat: Chat) -> None:
    faulty(chat).faults.extend([Fault.THROTTLE] * 4)


async def test_turn_that_thinks_again_is_taken_on_at_once(chat: Chat, upstream: FakeUpstream) -> None:
    without_waits(chat.process)
    gates = [Gate(), Gate()]
    upstream.will(reply(completion("Yes."), gate=gates[0]), reply(completion("For two."), gate=gates[1]))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gates[0].reached()
    await chat.says("For two?")
    gates[0].open()
    await gates[1].reached()
    await chat.change(claim={"message_id": "msg_of_a_key", "at": chat.process.clock(), "by_bot": False})
    gates[1].open()
    await working
    await chat.database.update(CONVERSATIONS, (await chat.conversation()).key, remove=("claim",))

    [job] = chat.process.queue.take()
    assert job.delay_seconds == 5
    chat.process.clock.pass_(5)
    await chat.process.process(chat.job())

    assert chat.sent == ["For two."]


async def test_thoughts_of_one_worker_have_one_deadline(chat: Chat, time: list[float], upstream: FakeUpstream) -> None:
    turns = chat.process.worker._turns
    thinker = turns._thinker = RecordingThinker(turns._thinker)  # pyright: ignore[reportAttributeAccessIssue]
    first, never = Gate(), Gate()
    upstream.will(
        reply(completion("Yes."), gate=first), reply(completion("Late."), gate=never), reply(completion("For two."))
    )
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await first.reached()
    await chat.says("For two?")
    time[0] += 59.75
    first.open()
    await working
    [job] = chat.process.queue.messages
    assert job.delay_seconds == 5

    await chat.process.drain()

    never.open()
    assert thinker.seconds == [60.0, 0.25, 60.0]
    assert await chat.outcome() == ("answered", None)
    assert len(chat.sent) == 1


async def test_rest_of_a_slow_answer_is_left_to_another_worker(
    chat: Chat, time: list[float], accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(reply(completion(LONG)))

    async def wait() -> None:
        time[0] += 81

    faulty(chat).before("UpdateItem", wait, matching=is_claim)
    await chat.asks()
    assert len(chat.sent) == 1
    [job] = chat.process.queue.messages
    assert job.delay_seconds == 5

    await chat.process.drain()

    assert [text[:12] for text in chat.sent] == ["The first pa", "The second p"]
    assert await chat.outcome() == ("answered", None)
    assert len((await chat.turns())[0].sent) == 2
    assert len(await accounts.entries(chat.tenant)) == 1
