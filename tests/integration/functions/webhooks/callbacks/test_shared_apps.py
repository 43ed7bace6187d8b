"""Numbers that share one app, and so one secret."""

import json
from dataclasses import replace

import pytest

from callmissed.ids import new_id
from callmissed.integrations.callbacks import PLATFORM
from callmissed.integrations.credentials import whatsapp_account, whatsapp_business_account
from callmissed.integrations.ownership import business_account_operation, prove_operation
from callmissed.integrations.repository import Integrations
from tests.support.webhooks.callbacks import (
    APP_SECRET,
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


def of_template(waba_id: str = "WABA-1", field: str = "message_template_status_update") -> bytes:
    """A callback about a template of an account, without a number."""
    change = {"field": field, "value": {"event": "APPROVED", "message_template_name": "order_update"}}
    return json.dumps({"entry": [{"id": waba_id, "time": 1, "changes": [change]}]}).encode()


async def prove_account(callbacks_api: CallbacksApi) -> None:
    """Connect a number, and prove its account, as onboarding does."""
    tenant = await callbacks_api.save(whatsapp_credentials())
    number = await Integrations(callbacks_api.database).find(whatsapp_account("1066"))
    assert number is not None
    account = whatsapp_business_account("WABA-1")
    await callbacks_api.database.transact([business_account_operation(account, replace(number, tenant=tenant))])


async def test_callback_of_an_account_without_a_number_is_passed_over(
    callbacks_api: CallbacksApi, capsys: pytest.CaptureFixture[str]
) -> None:
    await prove_account(callbacks_api)

    for body in (of_template(), of_template(field="account_update")):
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    assert capsys.readouterr().out.count('"CallbackPassedOver":[1.0]') == 2
    assert await callbacks_api.outbox() == []


async def test_callback_of_an_account_needs_its_signature(callbacks_api: CallbacksApi) -> None:
    await prove_account(callbacks_api)
    body = of_template()

    for waba_id, secret in (("WABA-1", "another secret"), ("WABA-2", APP_SECRET), ("9" * 3000, APP_SECRET)):
        body = of_template(waba_id)
        assert (await callbacks_api.post(WHATSAPP, body, by_meta(body, secret))).status == 401
    assert (await callbacks_api.post(WHATSAPP, of_template(), {})).status == 401


async def test_messages_without_a_number_in_a_callback_of_an_account_are_no_tenants(
    callbacks_api: CallbacksApi,
) -> None:
    await prove_account(callbacks_api)
    body = of_template(field="messages")

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200

    assert [item["tenant"] for item in await callbacks_api.outbox()] == [PLATFORM]


async def test_callback_of_more_than_twenty_numbers_of_one_app_is_stored(callbacks_api: CallbacksApi) -> None:
    numbers = [str(2000 + n) for n in range(21)]
    for number in numbers:
        await callbacks_api.save(whatsapp_credentials(number))
    body = body_of(*(change(number, messages=[message(f"wamid.{number}")]) for number in numbers))

    assert (await callbacks_api.post(WHATSAPP, body, by_meta(body))).status == 200
