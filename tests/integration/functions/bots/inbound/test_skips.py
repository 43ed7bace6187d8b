"""Messages that no bot answers say why: `last_turn` of the conversation is a skipped turn."""

from typing import Any

import pytest

from callmissed.platform.tables import BOTS, CONVERSATIONS
from functions.bots.conversations.records import LastTurn, TurnState, to_last_turn
from functions.bots.numbers.records import to_number_item
from tests.support.bots.inbound import BOT, NUMBER, Inbound, phone_number, queued
from tests.support.webhooks.callbacks import change, message

ANSWERED = LastTurn("turn_1", TurnState.ANSWERED)


def typed(id: str, type: str, part: Any) -> dict[str, Any]:
    """A message of another type than text."""
    fields = message(id) | {"type": type, type: part}
    return {name: value for name, value in fields.items() if name != "text"}


async def skipped(inbound: Inbound) -> str | None:
    """Reason of the latest turn, which is a skipped one that is named after the last message."""
    last = (await inbound.conversations())[-1].last_turn
    assert last
    assert last.state is TurnState.SKIPPED
    assert last.id.removeprefix("turn_") in {each.id.removeprefix("msg_") for each in await inbound.messages()}
    return last.reason


async def is_answered(inbound: Inbound) -> None:
    """Let the latest turn be an answered one."""
    conversation = (await inbound.conversations())[-1]
    await inbound.database.update(CONVERSATIONS, conversation.key, set={"last_turn": to_last_turn(ANSWERED)})


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ({"bot_id": None}, "no_bot"),
        ({"bot_id": "deleted"}, "no_bot"),
        ({"autoreply": False}, "autoreply_off"),
        (None, "no_bot"),
    ],
)
async def test_number_that_no_bot_answers_is_the_reason(
    inbound: Inbound, number: dict[str, Any] | None, reason: str, *, begins: bool
) -> None:
    if not begins:
        await inbound.receive(message("wamid.0"))
        await is_answered(inbound)
    if number is None:
        await inbound.database.delete_if(BOTS, phone_number(inbound.tenant).key)
    else:
        item = to_number_item(phone_number(inbound.tenant, **{"bot_id": BOT, **number}))
        await inbound.database.put(BOTS, item)

    await inbound.receive(message("wamid.1"))

    assert await skipped(inbound) == reason


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize(
    ("kind", "part", "reason"),
    [
        ("image", {"id": "7"}, "unsupported_type"),
        ("audio", {"id": "7", "voice": True}, "unsupported_type"),
        ("location", {"latitude": 12.25, "longitude": 43.9}, "unsupported_type"),
        ("contacts", [{"name": {"formatted_name": "Asha"}}], "unsupported_type"),
        ("unsupported", {"type": "poll"}, "unsupported_type"),
        ("of next year", {"a": 1}, "unsupported_type"),
        ("text", {"body": ""}, "empty_message"),
    ],
)
async def test_message_without_a_text_says_so(
    inbound: Inbound, kind: str, part: Any, reason: str, *, begins: bool
) -> None:
    if not begins:
        await inbound.receive(message("wamid.0"))
        await is_answered(inbound)
    sent = typed("wamid.1", kind, part)
    await inbound.receive(sent if kind != "text" else message("wamid.1", ""))

    assert await skipped(inbound) == reason


async def test_opt_out_is_the_reason_until_opt_in(inbound: Inbound) -> None:
    reasons: list[str | None] = []
    for number, text in enumerate(["STOP", "Hello again", "START"]):
        await inbound.receive(message(f"wamid.{number}", text))
        reasons.append(await skipped(inbound))

    assert reasons == ["opted_out", "opted_out", "opted_in"]


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("reaction", {"message_id": "wamid.0", "emoji": "👍"}),
        ("edit", {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "New"}}}),
        ("revoke", {"original_message_id": "wamid.0"}),
        ("system", {"body": "Asha changed her number", "type": "customer_changed_number"}),
        ("request_welcome", {}),
    ],
)
async def test_what_needs_no_answer_leaves_the_latest_turn(inbound: Inbound, kind: str, part: Any) -> None:
    await inbound.receive(message("wamid.0"))
    await is_answered(inbound)

    await inbound.receive(typed("wamid.1", kind, part))

    assert (await inbound.conversation()).last_turn == ANSWERED
    assert len(await inbound.messages()) == 2


async def test_text_that_a_bot_is_to_answer_leaves_the_latest_turn(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.0"))
    assert (await inbound.conversation()).last_turn is None
    await is_answered(inbound)

    await inbound.receive(message("wamid.1"))

    assert (await inbound.conversation()).last_turn == ANSWERED


async def test_second_delivery_of_a_skipped_message_hides_no_later_turn(inbound: Inbound) -> None:
    items = await inbound.post(change(NUMBER, messages=[typed("wamid.1", "audio", {"id": "7"})]))
    assert await inbound.worker().failures(queued(items)) == []
    assert await skipped(inbound) == "unsupported_type"
    await is_answered(inbound)

    assert await inbound.worker().failures(queued(items, receives=2)) == []

    assert (await inbound.conversation()).last_turn == ANSWERED
