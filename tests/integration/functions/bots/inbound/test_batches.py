"""Callbacks with as many messages as Meta sends at once."""

from tests.support.bots.inbound import NUMBER, Inbound
from tests.support.webhooks.callbacks import change, message


async def test_a_thousand_messages_of_as_many_people_with_their_contacts_are_stored(inbound: Inbound) -> None:
    people = [f"9198{n:08}" for n in range(1000)]
    messages = [message(f"wamid.{person}") | {"from": person} for person in people]
    contacts = [
        {"profile": {"name": "Asha Rao"}, "wa_id": person, "user_id": f"IN.1349120865530{person}"} for person in people
    ]

    items = await inbound.post(change(NUMBER, messages=messages, contacts=contacts))

    assert len(items) == 1000
