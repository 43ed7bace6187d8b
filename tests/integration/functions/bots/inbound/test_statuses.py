"""Statuses: which message they are of, their order, and what they settle."""

import itertools
from typing import Any

import pytest

from callmissed.platform.tables import CONVERSATIONS, MESSAGES
from functions.bots.conversations.messages import (
    DELIVERY_UNKNOWN,
    MessageState,
    SendFailure,
    StoredMessage,
    StoredTurn,
    message_of,
    outbound_id,
    to_message_item,
    to_turn_item,
    turn_of,
)
from functions.bots.conversations.records import LastTurn, TurnState, to_last_turn
from tests.support.bots.inbound import BOT, NUMBER, Inbound, queued
from tests.support.webhooks.callbacks import NOW, change, message, status

ANSWERED = LastTurn("trn_1", TurnState.ANSWERED)
ERRORS = [{"code": 131026, "title": "Message undeliverable", "error_data": {"details": "Not on WhatsApp."}}]


async def sent(inbound: Inbound, state: MessageState = MessageState.SENT, **fields: Any) -> StoredMessage:
    """A message of the bot to the end user of a new conversation."""
    await inbound.receive(message("wamid.in"))
    conversation = await inbound.conversation()
    known: dict[str, Any] = {"author": "bot", "text": "Hello", "wamid": "wamid.out", "turn_id": "trn_1", **fields}
    place = {"tenant": inbound.tenant, "conversation_id": conversation.id, "id": outbound_id(NOW)}
    out = StoredMessage(**place, type="text", status=state, created=NOW, **known)
    await inbound.database.put(MESSAGES, to_message_item(out))
    return out


async def after(inbound: Inbound, out: StoredMessage, *names: str, **more: Any) -> StoredMessage:
    """The message after statuses, which name it by what it was sent with."""
    ours = {"biz_opaque_callback_data": f"{out.conversation_id}:{out.id}"}
    statuses = [status("wamid.out", name, **ours, **({"errors": ERRORS} if name == "failed" else {})) for name in names]
    for one in statuses:
        items = await inbound.post(change(NUMBER, statuses=[one | more]))
        assert await inbound.worker().failures(queued(items)) == []
    return message_of(await inbound.database.get(MESSAGES, out.key))


@pytest.mark.parametrize("names", [*itertools.permutations(["sent", "delivered", "read"]), ("delivered", "failed")])
async def test_statuses_in_any_order_only_go_forwards(inbound: Inbound, names: tuple[str, ...]) -> None:
    out = await sent(inbound)

    settled = await after(inbound, out, *names)

    assert settled.status == (MessageState.READ if "read" in names else MessageState.DELIVERED)
    assert settled.error is None
    events = await inbound.events("message.status")
    assert sorted(event["data"]["status"] for event in events) == sorted(names)
    assert {(event["data"]["conversation_id"], event["data"]["bot_id"]) for event in events} == {
        (out.conversation_id, BOT)
    }


async def test_failure_has_the_reason_and_stays(inbound: Inbound) -> None:
    out = await sent(inbound)

    settled = await after(inbound, out, "failed", "delivered")

    assert settled.status is MessageState.FAILED
    assert settled.error == SendFailure(131026, "Message undeliverable", "Not on WhatsApp.")


async def test_status_finds_its_message_by_the_wamid(inbound: Inbound) -> None:
    out = await sent(inbound)

    settled = await after(inbound, out, "read", biz_opaque_callback_data="a campaign's")

    assert settled.status is MessageState.READ


@pytest.mark.parametrize(
    ("state", "error"),
    [(MessageState.SENDING, None), (MessageState.FAILED, SendFailure(None, DELIVERY_UNKNOWN, "No answer."))],
)
@pytest.mark.parametrize("name", ["sent", "read"])
async def test_status_settles_a_message_of_which_nobody_knew(
    inbound: Inbound, state: MessageState, error: SendFailure | None, name: str
) -> None:
    out = await sent(inbound, state, error=error, wamid=None, ends_answer=True)
    turn = StoredTurn(inbound.tenant, out.conversation_id, "trn_1", BOT, TurnState.FAILED, NOW, DELIVERY_UNKNOWN)
    await inbound.database.put(MESSAGES, to_turn_item(turn))
    failed = to_last_turn(LastTurn("trn_1", TurnState.FAILED, DELIVERY_UNKNOWN))
    conversation = await inbound.conversation()
    await inbound.database.update(CONVERSATIONS, conversation.key, set={"last_turn": failed})

    settled = await after(inbound, out, name, name)

    assert (settled.status, settled.wamid, settled.error) == (MessageState(name), "wamid.out", None)
    (event,) = await inbound.events("message.sent")
    assert (event["data"]["message_id"], event["data"]["text"]) == ("wamid.out", "Hello")
    answered = turn_of(await inbound.database.get(MESSAGES, turn.key))
    assert (answered.state, answered.reason) == (TurnState.ANSWERED, None)
    conversation = await inbound.conversation()
    assert (conversation.last_turn, conversation.answers) == (ANSWERED, 1)


async def test_definite_failure_settles_an_unknown_one_without_saying_that_it_was_sent(inbound: Inbound) -> None:
    out = await sent(inbound, MessageState.SENDING, wamid=None)

    settled = await after(inbound, out, "failed")

    assert settled.error is not None
    assert (settled.status, settled.error.code) == (MessageState.FAILED, 131026)
    assert await inbound.events("message.sent") == []


@pytest.mark.parametrize(
    ("state", "turn_state", "reason"),
    [(MessageState.SENT, TurnState.ANSWERED, None), (MessageState.SENDING, TurnState.FAILED, DELIVERY_UNKNOWN)],
)
async def test_turn_whose_message_fails_later_is_undeliverable(
    inbound: Inbound, state: MessageState, turn_state: TurnState, reason: str | None
) -> None:
    out = await sent(inbound, state)
    turn = StoredTurn(inbound.tenant, out.conversation_id, "trn_1", BOT, turn_state, NOW, reason, sent=[out.id])
    await inbound.database.put(MESSAGES, to_turn_item(turn))
    before = await inbound.conversation()
    last = to_last_turn(LastTurn("trn_1", turn_state, reason))
    await inbound.database.update(CONVERSATIONS, before.key, set={"last_turn": last})
    inbound.pass_time(1)

    await after(inbound, out, "failed", "failed")

    failed = turn_of(await inbound.database.get(MESSAGES, turn.key))
    assert (failed.state, failed.reason) == (TurnState.FAILED, "undeliverable")
    conversation = await inbound.conversation()
    assert conversation.last_turn == LastTurn("trn_1", TurnState.FAILED, "undeliverable")
    assert conversation.changed > before.changed


async def test_failure_of_a_message_without_a_turn_is_a_change_of_the_conversation(inbound: Inbound) -> None:
    out = await sent(inbound, author="key:key_1", turn_id=None)
    before = await inbound.conversation()
    inbound.pass_time(1)

    await after(inbound, out, "failed")

    conversation = await inbound.conversation()
    assert (conversation.last_turn, conversation.changed > before.changed) == (None, True)


@pytest.mark.parametrize("ours", ["", "x:y", "0192f000-0000-7000-8000-000000000009:msg_" + "0" * 22])
async def test_status_of_a_message_that_is_not_ours_is_an_event_only(inbound: Inbound, ours: str) -> None:
    items = await inbound.post(change(NUMBER, statuses=[status("wamid.x", biz_opaque_callback_data=ours)]))

    assert await inbound.worker().failures(queued(items)) == []

    (event,) = await inbound.events()
    assert (event["event"], event["data"]["conversation_id"], event["data"]["bot_id"]) == ("message.status", None, None)
    assert await inbound.messages() == []


async def test_status_that_names_another_tenants_message_changes_nothing(inbound: Inbound) -> None:
    out = await sent(inbound)
    inbound.tenant = ""
    await inbound.connect("2077")
    ours = {"biz_opaque_callback_data": f"{out.conversation_id}:{out.id}"}
    items = await inbound.post(change("2077", statuses=[status("wamid.out", "read", **ours)]))

    assert await inbound.worker().failures(queued(items)) == []

    assert message_of(await inbound.database.get(MESSAGES, out.key)).status is MessageState.SENT
