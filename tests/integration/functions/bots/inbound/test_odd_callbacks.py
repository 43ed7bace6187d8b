"""Callbacks with values that Meta never sends: stored, or counted and not tried again."""

from typing import Any

import pytest

from callmissed.platform.tables import MESSAGES
from functions.bots.conversations.messages import MessageState, StoredMessage, outbound_id, to_message_item
from tests.support.bots.inbound import NUMBER, Inbound, queued
from tests.support.webhooks.callbacks import NOW, change, message, status


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else "x"


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "image", "image": {"id": "1", "mime_type": 1.5}},
        {"type": "image", "image": {"id": 10**50}},
        {"type": "image", "image": {"id": "1", "mime_type": deep(40)}},
        {"type": "sticker", "sticker": {"id": "1", "animated": 0.5}},
        {"from": "9" * 1100},
        {"from_user_id": "IN." + "9" * 1100},
        {"id": "wamid." + "x" * 2100},
    ],
    ids=["float", "large integer", "deep", "float flag", "long from", "long user id", "long wamid"],
)
async def test_odd_message_is_rejected_or_stored_and_never_retried(inbound: Inbound, fields: dict[str, Any]) -> None:
    items = await inbound.post(change(NUMBER, messages=[message("wamid.1") | fields]))
    assert items

    assert await inbound.worker().failures(queued(items)) == []


async def test_status_with_an_odd_code_is_applied_or_rejected(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.in"))
    conversation = await inbound.conversation()
    out = StoredMessage(
        inbound.tenant,
        conversation.id,
        outbound_id(NOW),
        "bot",
        "text",
        MessageState.SENT,
        NOW,
        text="x",
        wamid="wamid.out",
    )
    await inbound.database.put(MESSAGES, to_message_item(out))
    ours = f"{out.conversation_id}:{out.id}"
    one = status("wamid.out", "failed", biz_opaque_callback_data=ours, errors=[{"code": 10**45, "title": "x"}])
    items = await inbound.post(change(NUMBER, statuses=[one]))

    assert await inbound.worker().failures(queued(items)) == []
