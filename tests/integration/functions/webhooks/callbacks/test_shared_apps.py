"""Numbers that share one app, and so one secret."""

import json
from dataclasses import replace

from callmissed.ids import new_id
from callmissed.integrations.credentials import whatsapp_account
from callmissed.integrations.ownership import prove_operation
from callmissed.integrations.repository import Integrations
from tests.support.webhooks.callbacks import (
    WHATSAPP,
    CallbacksApi,
    body_of,
    by_meta,
    change,
    message,
    whatsapp_credentials,
)


async def prove(callbacks_api: CallbacksApi, tenant: str) -> None:
    """Make the number the tenant's, as Embedded Signup does."""
    account = whatsapp_account("1066")
    seen = await Integrations(callbacks_api.database).find(account)
    assert seen is not None
    await callbacks_api.database.transact([prove_operation(account, replace(seen, tenant=tenant, proven=True), seen)])


async def test_callbacks_go_to_the_new_owner_at_once_though_both_have_the_same_app(callbacks_api: CallbacksApi) -> None:
    """The platform's app of Embedded Signup has one secret for all tenants."""
    before = await callbacks_api.save(whatsapp_credentials())
    await prove(callbacks_api, before)
    body = body_of(change(messages=[message("wamid.1")]))
    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200
    after = new_id("tnt")
    await prove(callbacks_api, after)

    body = body_of(change(messages=[message("wamid.2")]))
    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    found = {item["tenant"]: json.loads(item["body"])["text"] for item in await callbacks_api.outbox()}
    assert "wamid.2" in found.get(after, ""), before


async def test_callback_of_more_than_twenty_numbers_of_one_app_is_stored(callbacks_api: CallbacksApi) -> None:
    numbers = [str(2000 + n) for n in range(21)]
    for number in numbers:
        await callbacks_api.save(whatsapp_credentials(number))
    body = body_of(*(change(number, messages=[message(f"wamid.{number}")]) for number in numbers))

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200
