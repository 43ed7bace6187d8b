"""Messages of end users: where they are stored, what says so, and which ask for a turn."""

from callmissed.clock import Micros
from functions.bots.conversations.messages import MessageState
from functions.bots.conversations.records import Status, change_mark, due_text
from tests.support.bots.inbound import BOT, NUMBER, PHONE, Inbound, queued
from tests.support.webhooks.callbacks import NOW, change, message

SENT = 1_795_599_990_000_000


async def test_first_text_begins_a_conversation_and_asks_for_a_turn(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1", "Hi"), contacts=[{"wa_id": PHONE, "profile": {"name": "Asha"}}])

    conversation = await inbound.conversation()
    (stored,) = await inbound.messages()
    assert (conversation.number_id, conversation.bot_id, conversation.status) == (NUMBER, BOT, Status.ACTIVE)
    assert (conversation.user.wa_id, conversation.user.name) == (PHONE, "Asha")
    assert (conversation.pending, conversation.unread, conversation.last_inbound) == (1, 1, stored.id)
    assert (conversation.pending_since, conversation.last_activity, conversation.created) == (NOW, NOW, NOW)
    assert conversation.due == due_text(Micros(NOW + 3_000_000))
    assert conversation.changed == change_mark(NOW, conversation.id)
    assert conversation.last_inbound_at == SENT
    assert (stored.conversation_id, stored.text, stored.wamid, stored.type) == (
        conversation.id,
        "Hi",
        "wamid.1",
        "text",
    )
    assert (stored.author, stored.status, stored.created) == ("user", MessageState.RECEIVED, SENT)
    (started,) = await inbound.events("conversation.started")
    (received,) = await inbound.events("message.received")
    place = {"conversation_id": conversation.id, "bot_id": BOT, "channel": "whatsapp"}
    assert started["data"] == {**place, "external_id": PHONE}
    assert received["data"] | place == received["data"]
    (job,) = inbound.jobs.taken()
    assert job.body == {
        "kind": "turn",
        "tenant": inbound.tenant,
        "conversation": conversation.id,
        "message": stored.id,
    }
    assert (job.group, job.delay_seconds) == (inbound.tenant, 3)


async def test_next_text_continues_the_conversation(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1", "Hi"))
    inbound.pass_time(60)
    await inbound.receive(message("wamid.2", "Where is it?") | {"timestamp": "1795600050"})

    conversation = await inbound.conversation()
    first, second = await inbound.messages()
    assert (conversation.pending, conversation.unread, conversation.last_inbound) == (2, 2, second.id)
    assert (conversation.pending_since, conversation.last_activity) == (NOW, NOW + 60_000_000)
    assert conversation.last_inbound_at == 1_795_600_050_000_000
    assert [each.text for each in (first, second)] == ["Hi", "Where is it?"]
    assert [job.body["message"] for job in inbound.jobs.taken()] == [first.id, second.id]
    assert len(await inbound.events("conversation.started")) == 1


async def test_redelivery_stores_nothing_and_asks_again(inbound: Inbound) -> None:
    items = await inbound.post(change(NUMBER, messages=[message("wamid.1")]))
    for _ in range(3):
        assert await inbound.worker().failures(queued(items)) == []
        inbound.pass_time(10)

    conversation = await inbound.conversation()
    assert (conversation.pending, conversation.unread, len(await inbound.messages())) == (1, 1, 1)
    assert len({job.body["message"] for job in inbound.jobs.taken()}) == 1
    assert len(await inbound.events()) == 2
