"""Which conversation a message belongs to: silence, names, opt-outs, what opens none, and concurrency."""

import asyncio
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.platform.tables import BOTS, CONVERSATIONS
from functions.bots.bots.records import count_key
from functions.bots.conversations.records import EndUser, Status, known_user_of, user_key
from functions.bots.conversations.repository import ConversationRepository
from local.aws.tables import StageTables
from tests.support.bots.inbound import BOT, NUMBER, PHONE, USER, Inbound, phone_number, queued
from tests.support.interleaving import InterleavingDynamoDB
from tests.support.webhooks.callbacks import change, message

DAY = 24 * 3600


def typed(id: str, type: str, part: Any, **more: Any) -> dict[str, Any]:
    """A message that is no text."""
    fields = message(id) | {"type": type, type: part, **more}
    return {name: value for name, value in fields.items() if name != "text"}


def by_id(id: str, text: str = "Hi") -> dict[str, Any]:
    """A message of an end user whose phone number is not known."""
    fields = message(id, text) | {"from_user_id": USER}
    return {name: value for name, value in fields.items() if name != "from"}


async def test_message_after_a_day_of_silence_begins_a_new_conversation(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    inbound.pass_time(DAY)
    await inbound.receive(message("wamid.2"))

    before, after = await inbound.conversations()
    assert (before.status, before.pending, before.due) == (Status.COMPLETED, 0, None)
    assert (after.status, after.pending, after.unread) == (Status.ACTIVE, 1, 1)
    assert (before.previous, after.previous) == (None, before.id)
    (ended,) = await inbound.events("conversation.ended")
    assert (ended["data"]["conversation_id"], ended["data"]["status"]) == (before.id, "completed")
    assert len(await inbound.events("conversation.started")) == 2
    count = await inbound.database.get(BOTS, count_key(inbound.tenant, BOT))
    assert count["n"] == 2
    latest = await ConversationRepository(inbound.database).latest_of(inbound.tenant, NUMBER, EndUser(PHONE))
    assert latest == after


async def test_message_just_before_a_day_of_silence_is_over_continues(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    inbound.pass_time(DAY - 1)
    await inbound.receive(message("wamid.2"))

    assert (await inbound.conversation()).pending == 2


async def test_message_after_a_person_completed_the_conversation_begins_a_new_one(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    done = await inbound.conversation()
    await inbound.database.update(CONVERSATIONS, done.key, set={"status": "completed"})
    inbound.pass_time(1)
    await inbound.receive(message("wamid.2"))

    assert [each.status for each in await inbound.conversations()] == [Status.COMPLETED, Status.ACTIVE]
    assert await inbound.events("conversation.ended") == []


async def test_callback_that_comes_again_after_the_end_of_its_conversation_stores_nothing(inbound: Inbound) -> None:
    items = await inbound.post(change(NUMBER, messages=[message("wamid.1")]))
    assert await inbound.worker().failures(queued(items)) == []
    inbound.pass_time(DAY)
    await inbound.receive(message("wamid.2"))
    inbound.jobs.taken()

    assert await inbound.worker().failures(queued(items)) == []

    before, after = await inbound.conversations()
    assert (after.pending, len(await inbound.messages())) == (1, 2)
    assert [job.body["conversation"] for job in inbound.jobs.taken()] == [before.id]


async def test_older_message_that_comes_later_leaves_the_window_as_it_is(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.2") | {"timestamp": "1795599995"})
    await inbound.receive(message("wamid.1") | {"timestamp": "1795599000"})

    conversation = await inbound.conversation()
    assert (conversation.pending, conversation.last_inbound_at) == (2, 1_795_599_995_000_000)
    assert [each.wamid for each in await inbound.messages()] == ["wamid.1", "wamid.2"]


async def test_messages_of_one_callback_are_stored_in_the_order_in_which_they_were_sent(inbound: Inbound) -> None:
    stamps = ["1795599993", "1795599991", "1795599992"]
    await inbound.receive(*(message(f"wamid.{stamp}") | {"timestamp": stamp} for stamp in stamps))

    stored = await inbound.messages()
    assert [each.wamid for each in stored] == [f"wamid.{stamp}" for stamp in sorted(stamps)]
    assert (await inbound.conversation()).last_inbound == stored[-1].id


async def test_end_user_without_a_number_has_one_conversation_under_both_names(inbound: Inbound) -> None:
    await inbound.receive(by_id("wamid.1"))
    await inbound.receive(message("wamid.2") | {"from_user_id": USER})
    await inbound.receive(message("wamid.3"))

    conversation = await inbound.conversation()
    assert (conversation.user.wa_id, conversation.user.user_id) == (PHONE, USER)
    assert conversation.pending == 3


async def test_names_of_two_conversations_that_turn_out_to_be_one_person_leave_one_open(inbound: Inbound) -> None:
    await inbound.receive(by_id("wamid.1"))
    inbound.pass_time(1)
    await inbound.receive(message("wamid.2"))
    inbound.pass_time(1)
    await inbound.receive(message("wamid.3") | {"from_user_id": USER})

    assert sorted(each.status for each in await inbound.conversations()) == [Status.ACTIVE, Status.COMPLETED]
    assert len({each.conversation_id for each in await inbound.messages()}) == 2
    ids = set()
    for key in (f"wa:{PHONE}", f"id:{USER}"):
        item = await inbound.database.get(CONVERSATIONS, user_key(inbound.tenant, NUMBER, key))
        ids.add(known_user_of(item).conversation_id)
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("system", "new"),
    [
        ({"type": "user_changed_number", "wa_id": "919999999999"}, EndUser("919999999999")),
        ({"type": "user_changed_user_id", "previous_user_id": USER, "user_id": "IN.2"}, EndUser(None, "IN.2")),
    ],
)
async def test_changed_name_keeps_the_conversation(inbound: Inbound, system: dict[str, Any], new: EndUser) -> None:
    await inbound.receive(message("wamid.1") | {"from_user_id": USER})
    await inbound.receive(typed("wamid.2", "system", {"body": "changed", **system}))
    renamed = message("wamid.3") | {"from": new.wa_id, "from_user_id": new.user_id}
    await inbound.receive({name: value for name, value in renamed.items() if value})

    conversation = await inbound.conversation()
    assert conversation.pending == 2
    assert new.keys[0] in conversation.user.keys
    assert [each.type for each in await inbound.messages()] == ["text", "system", "text"]
    old = f"wa:{PHONE}" if new.wa_id else f"id:{USER}"
    assert await inbound.database.get(CONVERSATIONS, user_key(inbound.tenant, NUMBER, old)) == {}


@pytest.mark.parametrize("kind", ["reaction", "system", "edit", "revoke", "request_welcome"])
async def test_what_is_about_earlier_messages_opens_no_conversation(inbound: Inbound, kind: str) -> None:
    await inbound.receive(typed("wamid.1", kind, {"message_id": "wamid.0", "body": "x"}))

    assert await inbound.conversations() == await inbound.messages() == []
    (event,) = await inbound.events()
    assert (event["data"]["type"], event["data"]["conversation_id"], event["data"]["bot_id"]) == (kind, None, BOT)
    assert inbound.jobs.taken() == []


async def test_reaction_is_stored_in_the_latest_conversation_and_asks_for_nothing(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    before = await inbound.conversation()
    inbound.jobs.taken()
    inbound.pass_time(2 * DAY)

    await inbound.receive(typed("wamid.2", "reaction", {"message_id": "wamid.1", "emoji": "👍"}))

    after = await inbound.conversation()
    assert (after.pending, after.unread, after.last_inbound_at) == (1, 1, before.last_inbound_at)
    assert after.last_activity == before.last_activity
    assert after.changed > before.changed
    _, reaction = sorted(await inbound.messages(), key=lambda each: each.wamid or "")
    assert (reaction.conversation_id, reaction.reply_to, reaction.text) == (before.id, "wamid.1", None)
    assert inbound.jobs.taken() == []


async def test_media_is_stored_under_an_id_of_ours_and_its_caption_is_text(inbound: Inbound) -> None:
    image = {"id": "778899", "mime_type": "image/jpeg", "sha256": "4654+8g=", "caption": "Broken"}
    await inbound.receive(typed("wamid.1", "image", image), typed("wamid.2", "audio", {"id": "2", "voice": True}))

    first, second = sorted(await inbound.messages(), key=lambda each: each.wamid or "")
    assert first.media is not None
    assert second.media is not None
    assert first.text == "Broken"
    assert first.media["meta_id"] == "778899"
    assert first.media["id"].startswith("med_")
    assert (first.media["mime_type"], first.media["sha256"]) == ("image/jpeg", "4654+8g=")
    assert (second.text, second.media["voice"]) == (None, True)
    conversation = await inbound.conversation()
    assert (conversation.pending, conversation.unread) == (1, 2)
    assert len(inbound.jobs.taken()) == 1


async def test_unsupported_message_is_stored_with_its_errors_and_asks_for_nothing(inbound: Inbound) -> None:
    errors = [{"code": 131051, "title": "Message type unknown"}]
    await inbound.receive(typed("wamid.1", "unsupported", {"type": "poll"}, errors=errors))

    (stored,) = await inbound.messages()
    assert stored.content is not None
    assert stored.content["errors"] == errors
    assert (await inbound.conversation()).pending == 0
    assert inbound.jobs.taken() == []


async def test_message_of_a_group_is_an_event_only(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1") | {"group_id": "g1"})

    assert await inbound.conversations() == []
    (event,) = await inbound.events()
    assert event["data"]["conversation_id"] is None


@pytest.mark.parametrize("numbers", [{"bot_id": None}, {"autoreply": False}, {"bot_id": "deleted"}])
async def test_number_that_no_bot_answers_stores_and_asks_for_nothing(
    inbound: Inbound, numbers: dict[str, Any]
) -> None:
    fields = {"bot_id": BOT, **numbers}
    number = phone_number(inbound.tenant, **fields)
    await inbound.database.put(BOTS, number.key | {n: v for n, v in _fields(number).items() if v is not None})

    await inbound.receive(message("wamid.1"))

    conversation = await inbound.conversation()
    assert (conversation.pending, conversation.due, conversation.unread) == (0, None, 1)
    assert inbound.jobs.taken() == []


def _fields(number: Any) -> dict[str, Any]:
    return {name: getattr(number, name) for name in number.__slots__}


async def test_number_that_was_only_typed_into_the_settings_stores_messages(inbound: Inbound) -> None:
    await inbound.database.delete_if(BOTS, phone_number(inbound.tenant).key)

    await inbound.receive(message("wamid.1"))

    assert (await inbound.conversation()).bot_id is None
    assert len(await inbound.messages()) == 1


async def test_opt_out_silences_the_bot_until_opt_in(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1", "Hello"))
    before = await inbound.conversation()
    inbound.jobs.taken()

    await inbound.receive(message("wamid.2", " stop! "))
    out = await inbound.conversation()
    assert (out.opted_out, out.pending, out.epoch) == (True, 0, before.epoch + 1)
    await inbound.receive(message("wamid.3", "Hello again"))
    assert (await inbound.conversation()).pending == 0
    inbound.pass_time(DAY)
    await inbound.receive(message("wamid.4", "Still there?"))
    assert (await inbound.conversations())[-1].opted_out
    assert inbound.jobs.taken() == []

    await inbound.receive(message("wamid.5", "शुरू करो"))
    back = (await inbound.conversations())[-1]
    assert (back.opted_out, back.pending) == (False, 0)
    assert inbound.jobs.taken() == []
    await inbound.receive(message("wamid.6", "Thanks"))
    assert len(inbound.jobs.taken()) == 1


async def test_word_of_opting_in_is_a_message_for_who_is_in(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1", "START"))

    assert (await inbound.conversation()).pending == 1


async def test_words_of_the_bot_replace_the_defaults(inbound: Inbound) -> None:
    await inbound.connect(opt_out_words=["basta"])

    await inbound.receive(message("wamid.1", "STOP"), message("wamid.2", "Basta!") | {"timestamp": "1795599999"})

    conversation = await inbound.conversation()
    assert (conversation.opted_out, conversation.pending) == (True, 0)


async def test_two_first_messages_at_once_make_one_conversation(inbound: Inbound, tables: StageTables) -> None:
    first = await inbound.post(change(NUMBER, messages=[message("wamid.1") | {"from_user_id": USER}]))
    second = await inbound.post(change(NUMBER, messages=[message("wamid.2")]))
    dynamodb = InterleavingDynamoDB(tables.endpoint)

    async def other() -> None:
        assert await inbound.worker().failures(queued(second)) == []

    dynamodb.before("TransactWriteItems", other)
    assert await inbound.worker(Database(dynamodb, tables.stage)).failures(queued(first)) == []

    assert dynamodb.pending == 0
    conversation = await inbound.conversation()
    assert (conversation.pending, len(await inbound.messages())) == (2, 2)
    assert len(await inbound.events("conversation.started")) == 1
    await dynamodb.close()


async def test_message_meets_a_conversation_that_ends_meanwhile(inbound: Inbound, tables: StageTables) -> None:
    await inbound.receive(message("wamid.1"))
    old = await inbound.conversation()
    items = await inbound.post(change(NUMBER, messages=[message("wamid.2")]))
    dynamodb = InterleavingDynamoDB(tables.endpoint)

    async def complete() -> None:
        await inbound.database.update(CONVERSATIONS, old.key, set={"status": "completed"})

    async def reopen() -> None:
        await inbound.database.update(CONVERSATIONS, old.key, set={"status": "active"})

    dynamodb.before("TransactWriteItems", complete, reopen)
    assert await inbound.worker(Database(dynamodb, tables.stage)).failures(queued(items)) == []

    assert dynamodb.pending == 0
    assert (await inbound.conversation()).pending == 2
    await dynamodb.close()


async def test_many_first_messages_of_many_people_at_once(inbound: Inbound) -> None:
    people = [message(f"wamid.{n}.{person}") | {"from": f"9198{person}"} for n in range(3) for person in range(10)]
    items = await inbound.post(change(NUMBER, messages=people))
    halves = [queued(items[0::2]), queued(items[1::2])]

    failed = await asyncio.gather(*(inbound.worker().failures(half) for half in halves))

    assert failed == [[], []]
    conversations = await inbound.conversations()
    assert len(conversations) == 10
    assert {each.pending for each in conversations} == {3}
    assert len(await inbound.messages()) == 30


async def test_jobs_that_the_queue_does_not_take_fail_and_come_again(inbound: Inbound) -> None:
    items = await inbound.post(change(NUMBER, messages=[message("wamid.1")]))
    inbound.jobs.down = True
    assert await inbound.worker().failures(queued(items)) == [f"message of {items[0]['id']}"]
    inbound.jobs.down = False

    assert await inbound.worker().failures(queued(items)) == []

    assert len(inbound.jobs.taken()) == 1
    assert (await inbound.conversation()).pending == 1


SHAPES: list[dict[str, Any]] = [
    {"type": "video", "video": {"id": "7", "mime_type": "video/mp4"}, "context": {"forwarded": True}},
    {"type": "document", "document": {"id": "7", "filename": "bill.pdf", "caption": "Bill"}},
    {"type": "sticker", "sticker": {"id": "7", "animated": True}},
    {"type": "location", "location": {"latitude": 12.25089, "longitude": 43.90539}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "Asha"}, "phones": [{"phone": "+91 1"}]}]},
    {"type": "order", "order": {"catalog_id": "1", "text": "", "product_items": [{"quantity": 3, "item_price": 30.5}]}},
    {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}},
    {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Red"}}},
    {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent", "response_json": "{}"}}},
    {"type": "interactive", "interactive": {"type": "call_permission_reply", "call_permission_reply": {}}},
    {"type": "interactive", "context": {"from": "1", "id": "wamid.0"}},
    {"type": "button", "button": {"payload": "yes", "text": "Yes"}, "context": {"id": "wamid.0"}},
    {"type": "text", "text": {"body": "From an ad"}, "referral": {"source_id": "ad", "ctwa_clid": "x"}},
    {"type": "text", "text": {"body": "Forwarded"}, "context": {"frequently_forwarded": True}},
    {"type": "unsupported", "errors": [{"code": 131051}]},
    {"type": "of next year", "of next year": {"a": [1.5, None, {"b": "c"}]}},
    {"type": "text", "text": {"body": "half \ud83d of a pair"}},
    {"type": "text", "text": {"body": "x" * 65_536}},
    {"type": "text", "text": {"body": ""}, "timestamp": "tomorrow"},
    {"type": "edit", "edit": {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "New"}}}},
    {"type": "revoke", "revoke": {"original_message_id": "wamid.0"}},
    {"type": "reaction", "reaction": {"message_id": "wamid.0"}},
]


async def test_every_shape_of_message_is_stored_and_asks_for_a_turn_if_it_has_text(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.0"))
    inbound.jobs.taken()

    for number, shape in enumerate(SHAPES, start=1):
        await inbound.receive({"from": PHONE, "id": f"wamid.{number}", "timestamp": "1795599995", **shape})

    stored = {each.wamid: each for each in await inbound.messages()}
    assert len(stored) == len(SHAPES) + 1
    assert {each.conversation_id for each in stored.values()} == {(await inbound.conversation()).id}
    for number, shape in enumerate(SHAPES, start=1):
        assert stored[f"wamid.{number}"].type == shape["type"]
    jobs = {job.body["message"] for job in inbound.jobs.taken()}
    silent = {"edit", "revoke", "reaction", "unsupported"}
    asking = {each.id for each in stored.values() if each.text and each.type not in silent}
    assert jobs == asking - {stored["wamid.0"].id}
    assert len(await inbound.events("message.received")) == len(SHAPES) + 1
