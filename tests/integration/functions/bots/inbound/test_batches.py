"""Callbacks with as many messages as Meta sends at once."""

import asyncio
from typing import Any

from callmissed.platform.tables import BOTS
from functions.bots.bots.records import count_key
from tests.support.bots.inbound import BOT, NUMBER, Inbound, queued
from tests.support.webhooks.callbacks import change, message


async def test_a_thousand_messages_of_as_many_people_with_their_contacts_are_stored(inbound: Inbound) -> None:
    people = [f"9198{n:08}" for n in range(1000)]
    messages = [message(f"wamid.{person}") | {"from": person} for person in people]
    contacts = [
        {"profile": {"name": "Asha Rao"}, "wa_id": person, "user_id": f"IN.1349120865530{person}"} for person in people
    ]

    items = await inbound.post(change(NUMBER, messages=messages, contacts=contacts))

    assert len(items) == 1000


async def test_storm_of_updates_in_one_callback_is_stored_once(inbound: Inbound) -> None:
    """Ten batches run at a time, and each fifth one is delivered twice."""
    people = [message(f"wamid.{n}") | {"from": f"91{n % 30:010}"} for n in range(300)]
    items = await inbound.post(change(NUMBER, messages=people))
    assert len(items) == 300
    batches = [queued(items[start : start + 10]) for start in range(0, 300, 10)]
    gate = asyncio.Semaphore(10)

    async def run(batch: list[dict[str, Any]]) -> list[str]:
        async with gate:
            return await inbound.worker().failures(batch)

    failed = await asyncio.gather(*map(run, [*batches, *batches[::5]]))

    assert not any(failed)
    conversations = await inbound.conversations()
    assert (len(conversations), {each.pending for each in conversations}) == (30, {10})
    assert len(await inbound.messages()) == 300
    count = await inbound.database.get(BOTS, count_key(inbound.tenant, BOT))
    assert count["n"] == 30
