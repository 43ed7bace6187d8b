"""A turn from the pending message to the settled answer."""

from tests.support.bots.turns import Chat
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream


async def test_message_is_answered_once_charged_once_and_shown(
    chat: Chat, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(reply(completion("Fresh bread, yes.")))
    question = await chat.says("Do you have bread?")

    await chat.process.process(chat.job(question))

    assert chat.sent == ["Fresh bread, yes."]
    (turn,) = await chat.turns()
    answer = (await chat.messages())[-1]
    assert (turn.state, turn.reason) == ("answered", None)
    assert (turn.answers, turn.sent) == ((question.id,), (answer.id,))
    assert (answer.author, answer.status, answer.text, answer.turn_id) == ("bot", "sent", "Fresh bread, yes.", turn.id)
    assert answer.tokens_used == 18
    entry = await accounts.entry(chat.tenant)
    assert entry["reference"] == turn.id
    assert await accounts.assert_balanced(chat.account) == entry["amount"]
    assert (await chat.event(answer))["type"] == "message.sent"
    after = await chat.item()
    assert after["pending"] == 0
    assert not {"lease", "claim", "due", "shard", "pending_since"} & after.keys()
    assert after["last_turn"] == {"id": turn.id, "state": "answered", "reason": None}


async def test_message_that_comes_late_is_answered_though_a_newer_one_was_before(chat: Chat) -> None:
    await chat.asks("What does bread cost?")
    chat.process.clock.pass_(-20)
    late = await chat.says("Hello")
    await chat.process.process(chat.job(late))
    answers = [turn.answers for turn in await chat.turns()]
    assert (late.id,) in answers
    assert len({id for each in answers for id in each}) == len(answers) == 2
