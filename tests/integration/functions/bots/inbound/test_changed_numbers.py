"""A system message that says that an end user has a new number, and comes after messages from there."""

from tests.support.bots.inbound import Inbound
from tests.support.webhooks.callbacks import message

NEW = "919999999999"


async def test_change_of_number_that_comes_late_keeps_the_opt_out(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    await inbound.receive(message("wamid.2", "STOP") | {"from": NEW})
    system = {"type": "user_changed_number", "wa_id": NEW, "body": "changed"}
    changed = {k: v for k, v in message("wamid.3").items() if k != "text"} | {"type": "system", "system": system}
    await inbound.receive(changed)
    inbound.jobs.taken()

    await inbound.receive(message("wamid.4", "Hello?") | {"from": NEW})

    assert inbound.jobs.taken() == []


async def test_change_of_number_that_comes_late_leaves_one_open_conversation(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    await inbound.receive(message("wamid.2", "It's me") | {"from": NEW})
    system = {"type": "user_changed_number", "wa_id": NEW, "body": "changed"}
    changed = {k: v for k, v in message("wamid.3").items() if k != "text"} | {"type": "system", "system": system}
    await inbound.receive(changed)
    await inbound.receive(message("wamid.4", "Hello?") | {"from": NEW})

    assert sum(each.status.is_open for each in await inbound.conversations()) == 1
