"""Messages of colleagues in the WhatsApp Business app, which Meta echoes: where they are stored, and what they stop."""

from typing import Any

import pytest

from callmissed.aws.batches import Change
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros, iso
from callmissed.platform.tables import BOTS, CONVERSATIONS, MESSAGES
from functions.bots.bots.records import count_key
from functions.bots.conversations.messages import MessageState, to_message_item
from functions.bots.conversations.records import NEVER, Status
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.inbound.word_index import index_words
from functions.bots.inbox.feed import changed_since
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.schemas import ConversationMessageOut
from functions.bots.inbox.search import MessageSearch
from functions.bots.inbox.service import Inbox
from local.aws.tables import StageTables
from tests.integration.functions.bots.inbound.test_crashes import LossyDynamoDB, run_dying
from tests.support.bots.inbound import BOT, NUMBER, PHONE, USER, Inbound, queued
from tests.support.webhooks.callbacks import NOW, change, message, status

ECHOES = "smb_message_echoes"
SENT = 1_795_599_995_000_000
DAY = 24 * 3600


def echo(id: str = "wamid.echo", text: str = "It arrives today.", **more: Any) -> dict[str, Any]:
    """A message to the end user, as Meta's reference shows it."""
    names = {"from": "15550100", "to": PHONE, "to_user_id": USER}
    return {**names, "id": id, "timestamp": "1795599995", "type": "text", "text": {"body": text}, **more}


def typed(kind: str, part: Any, **more: Any) -> dict[str, Any]:
    """An echo that is no text."""
    fields = echo(**more) | {"type": kind, kind: part}
    return {name: value for name, value in fields.items() if name != "text"}


async def hear(inbound: Inbound, *echoes: dict[str, Any], number: str = NUMBER, **value: Any) -> None:
    """Let `echoes` arrive and be stored."""
    items = await inbound.post(change(number, field=ECHOES, message_echoes=list(echoes), **value))
    assert await inbound.worker().failures(queued(items)) == []


async def test_echo_is_stored_as_a_persons_message_and_takes_the_conversation_over(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    before = await inbound.conversation()
    inbound.jobs.taken()
    inbound.pass_time(10)

    await hear(inbound, echo())

    after = await inbound.conversation()
    _, stored = await inbound.messages()
    assert (after.autoreply, after.epoch, after.status) == (False, before.epoch + 1, Status.ACTIVE)
    assert (after.unread, after.pending, after.last_inbound_at) == (1, 1, before.last_inbound_at)
    assert (after.last_activity, after.changed > before.changed) == (NOW + 10 * SECOND, True)
    assert after.user.user_id == USER
    assert (stored.conversation_id, stored.author, stored.status) == (after.id, "person", MessageState.SENT)
    assert (stored.text, stored.wamid, stored.type, stored.created) == ("It arrives today.", "wamid.echo", "text", SENT)
    shown = ConversationMessageOut.of(stored)
    assert (shown.role, shown.author.kind, shown.author.id) == ("assistant", "person", None)
    (event,) = await inbound.events("message.sent")
    assert event["data"] == {
        "conversation_id": after.id,
        "bot_id": BOT,
        "channel": "whatsapp",
        "to": PHONE,
        "message_id": "wamid.echo",
        "type": "text",
        "text": "It arrives today.",
    }
    assert inbound.jobs.taken() == []


async def test_echo_that_comes_again_is_stored_once_and_stops_nothing_again(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    items = await inbound.post(change(NUMBER, field=ECHOES, message_echoes=[echo()]))
    assert await inbound.worker().failures(queued(items)) == []
    conversation = await inbound.conversation()
    await TakeOvers(inbound.database, lambda: Micros(inbound.callbacks.now)).hand_back(inbound.tenant, conversation.id)

    for _ in range(2):
        assert await inbound.worker().failures(queued(items * 2)) == []
        assert await inbound.post(change(NUMBER, field=ECHOES, message_echoes=[echo()])) == []

    assert (await inbound.conversation()).autoreply
    assert len(await inbound.messages()) == 2
    assert len(await inbound.events("message.sent")) == 1


async def test_status_settles_an_echo(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    await hear(inbound, echo())

    items = await inbound.post(
        change(NUMBER, statuses=[status("wamid.echo", "delivered"), status("wamid.echo", "read")])
    )
    assert await inbound.worker().failures(queued(items)) == []

    _, stored = await inbound.messages()
    assert stored.status is MessageState.READ
    assert {event["data"]["conversation_id"] for event in await inbound.events("message.status")} == {
        stored.conversation_id
    }
    assert len(await inbound.events("message.sent")) == 1


async def test_echo_to_a_stranger_begins_a_conversation_that_the_bot_leaves_alone(inbound: Inbound) -> None:
    await hear(inbound, echo(), contacts=[{"wa_id": PHONE, "user_id": USER, "profile": {"name": "Asha"}}])

    begun = await inbound.conversation()
    assert (begun.autoreply, begun.unread, begun.pending, begun.due) == (False, 0, 0, None)
    assert (begun.last_inbound_at, begun.bot_id, begun.user.name) == (NEVER, BOT, "Asha")
    assert begun.last_turn is None
    assert len(await inbound.events("conversation.started")) == 1
    assert (await inbound.database.get(BOTS, count_key(inbound.tenant, BOT)))["n"] == 1

    await inbound.receive(message("wamid.1", "Thanks") | {"timestamp": "1795599999"})

    answered = await inbound.conversation()
    assert (answered.id, answered.unread, answered.autoreply) == (begun.id, 1, False)
    assert answered.last_inbound_at == 1_795_599_999_000_000


@pytest.mark.parametrize("silence", [10, DAY])
async def test_echo_after_the_end_of_a_conversation_begins_another_one(inbound: Inbound, silence: int) -> None:
    await inbound.receive(message("wamid.1"))
    if silence < DAY:
        done = await inbound.conversation()
        await inbound.database.update(CONVERSATIONS, done.key, set={"status": "completed"})
    inbound.pass_time(silence)

    await hear(inbound, echo())

    before, after = await inbound.conversations()
    assert (before.status, after.status, after.autoreply) == (Status.COMPLETED, Status.ACTIVE, False)
    assert (after.previous, after.last_inbound_at) == (before.id, before.last_inbound_at)
    assert [each.conversation_id for each in await inbound.messages()] == [before.id, after.id]
    assert len(await inbound.events("conversation.ended")) == (1 if silence == DAY else 0)


@pytest.mark.parametrize("first", ["echo", "message"])
async def test_echo_and_message_in_one_delivery_are_stored_in_one_conversation(inbound: Inbound, first: str) -> None:
    stamps = {"echo": "1795599995", "message": "1795599996"} if first == "echo" else {"echo": "1795599996"}
    said = message("wamid.1") | {"timestamp": stamps.get("message", "1795599995")}
    items = await inbound.post(
        change(NUMBER, messages=[said]),
        change(NUMBER, field=ECHOES, message_echoes=[echo(timestamp=stamps["echo"])]),
    )
    assert len(items) == 2

    assert await inbound.worker().failures(queued(items)) == []

    conversation = await inbound.conversation()
    assert (conversation.autoreply, conversation.unread) == (False, 1)
    assert [each.author for each in await inbound.messages()] == (
        ["person", "user"] if first == "echo" else ["user", "person"]
    )


@pytest.mark.parametrize("step", range(1, 11))
async def test_echo_of_a_process_that_died_is_stored_once(inbound: Inbound, tables: StageTables, step: int) -> None:
    await inbound.receive(message("wamid.1"))
    inbound.pass_time(DAY)
    items = await inbound.post(change(NUMBER, field=ECHOES, message_echoes=[echo()]))

    await run_dying(inbound, tables, items, step)
    assert await inbound.worker().failures(queued(items)) == []

    conversations = await inbound.conversations()
    assert [each.autoreply for each in conversations] == [True, False]
    assert len(await inbound.messages()) == 2
    assert len(await inbound.events("message.sent")) == len(await inbound.events("conversation.ended")) == 1


@pytest.mark.parametrize("operation", ["GetItem", "BatchGetItem", "TransactWriteItems"])
async def test_lost_answers_store_an_echo_once(inbound: Inbound, tables: StageTables, operation: str) -> None:
    await inbound.receive(message("wamid.1"))
    items = await inbound.post(change(NUMBER, field=ECHOES, message_echoes=[echo()]))
    dynamodb = LossyDynamoDB(tables.endpoint, operation, 3)
    worker = inbound.worker(Database(dynamodb, tables.stage))

    while await worker.failures(queued(items)):
        pass

    assert dynamodb.left == 0
    conversation = await inbound.conversation()
    assert (conversation.epoch, conversation.autoreply, len(await inbound.messages())) == (1, False, 2)
    await dynamodb.close()


async def test_echo_of_before_a_hand_back_takes_nothing_over(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    conversation = await inbound.conversation()
    inbound.pass_time(60)
    takers = TakeOvers(inbound.database, lambda: Micros(inbound.callbacks.now))
    await takers.take_over(inbound.tenant, conversation.id)
    await takers.hand_back(inbound.tenant, conversation.id)

    await hear(inbound, echo())
    assert (await inbound.conversation()).autoreply

    await hear(inbound, echo("wamid.later", timestamp="1795600058"))
    assert not (await inbound.conversation()).autoreply
    assert len(await inbound.messages()) == 3


@pytest.mark.parametrize(
    ("kind", "part", "takes_over"),
    [
        ("reaction", {"message_id": "wamid.1", "emoji": "👍"}, True),
        ("edit", {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "today"}}}, False),
        ("revoke", {"original_message_id": "wamid.0"}, False),
    ],
)
async def test_echo_about_an_earlier_message_begins_no_conversation(
    inbound: Inbound, kind: str, part: dict[str, Any], takes_over: bool
) -> None:
    await hear(inbound, typed(kind, part))
    assert await inbound.conversations() == await inbound.messages() == []
    (event,) = await inbound.events("message.sent")
    assert (event["data"]["conversation_id"], event["data"]["type"]) == (None, kind)

    await inbound.receive(message("wamid.1"))
    await hear(inbound, typed(kind, part, id="wamid.2"))

    conversation = await inbound.conversation()
    assert conversation.autoreply is not takes_over
    _, stored = sorted(await inbound.messages(), key=lambda each: each.author, reverse=True)
    assert (stored.author, stored.type, stored.reply_to) == ("person", kind, next(iter(part.values())))


async def test_media_of_an_echo_are_described_as_those_of_end_users(inbound: Inbound) -> None:
    image = {"id": "778899", "mime_type": "image/jpeg", "sha256": "4654+8g=", "caption": "Your parcel"}
    await hear(inbound, typed("image", image))

    (stored,) = await inbound.messages()
    assert stored.media is not None
    assert (stored.text, stored.media["meta_id"], stored.media["mime_type"]) == ("Your parcel", "778899", "image/jpeg")
    assert stored.media["id"].startswith("med_")


@pytest.mark.parametrize(
    ("names", "contact"),
    [
        ({"to": f"+{PHONE}"}, None),
        ({"to_user_id": USER}, {"wa_id": PHONE, "user_id": USER}),
        ({"to": f"+{PHONE}", "to_user_id": USER}, {"wa_id": PHONE}),
        ({"to": "5215550000", "to_user_id": USER}, {"wa_id": PHONE, "user_id": USER}),
    ],
)
async def test_end_user_of_an_echo_is_known_by_any_name(
    inbound: Inbound, names: dict[str, str], contact: dict[str, str] | None
) -> None:
    await inbound.receive(message("wamid.1"))
    rest = {name: value for name, value in echo().items() if name not in ("to", "to_user_id")}

    await hear(inbound, rest | names, contacts=[contact] if contact else [])

    assert not (await inbound.conversation()).autoreply
    assert (await inbound.events("message.sent"))[0]["data"]["to"] == PHONE


async def test_opt_out_word_of_a_colleague_opts_nobody_out(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))

    await hear(inbound, echo(text="STOP"))

    assert not (await inbound.conversation()).opted_out


async def test_echo_to_a_group_or_to_nobody_is_stored_nowhere(inbound: Inbound) -> None:
    nobody = {name: value for name, value in echo("wamid.2").items() if name not in ("to", "to_user_id")}
    await hear(inbound, echo(group_id="g1"), nobody)

    assert await inbound.conversations() == await inbound.messages() == []
    assert [event["data"]["message_id"] for event in await inbound.events()] == ["wamid.echo"]


async def test_echo_of_another_tenant_changes_nothing_here(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    first = inbound.tenant
    inbound.tenant = ""
    second = await inbound.connect("2077")

    await hear(inbound, echo(), number="2077")

    ours, others = sorted(await inbound.conversations(), key=lambda each: each.tenant != first)
    assert (ours.tenant, ours.autoreply, others.tenant, others.autoreply) == (first, True, second, False)
    assert {(each.tenant, each.author) for each in await inbound.messages()} == {(first, "user"), (second, "person")}


async def test_echo_is_in_the_change_feed_and_found_by_its_words(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    inbound.pass_time(10)
    since = iso(Micros(inbound.callbacks.now - SECOND))
    await hear(inbound, echo(text="The zebra arrives today."))

    repository = InboxRepository(inbound.database)
    changed = await changed_since(repository, inbound.tenant, since, 10, Micros(inbound.callbacks.now))
    assert [each.autoreply for each in changed.conversations] == [False]
    stored = [each for each in await inbound.messages() if each.author == "person"]
    item = await inbound.database.get(MESSAGES, stored[0].key)
    assert item == to_message_item(stored[0])
    assert await index_words(inbound.database, [Change("INSERT", item, "1")]) == []
    found = await MessageSearch(repository, Inbox(repository)).find(inbound.tenant, "zebra", None, 10, None)
    assert list(found.messages) == stored
