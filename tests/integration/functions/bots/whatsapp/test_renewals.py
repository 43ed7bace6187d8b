"""What counts after a number was connected, and its settings or its token changed."""

import secrets
from typing import Any

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.integrations.credentials import WhatsAppCredentials, whatsapp_account
from callmissed.integrations.repository import Integrations
from callmissed.sealing import Sealer
from functions.bots.bots.repository import BotRepository
from functions.bots.numbers.records import PhoneNumber
from functions.bots.numbers.repository import NumberRepository
from functions.bots.whatsapp.number_service import BotOfNumber, Numbers
from local.fakes.graph.accounts import GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from tests.support.bots.bots_api import NOW, RING, BotsApi, BotTenant

MANUAL = "/api/v1/whatsapp/onboarding/manual"
SEALER = Sealer(RING)


@pytest.fixture
def proof(graph: FakeGraph) -> dict[str, Any]:
    """What proves a number that no other test has."""
    number_id, waba_id = (str(secrets.randbelow(10**15) + 10**15) for _ in range(2))
    token = f"EAA{secrets.token_hex(8)}"
    graph.add_account(GraphApp("new", app_id=waba_id), waba_id, [GraphNumber(number_id)], token, subscribed=False)
    return {"waba_id": waba_id, "phone_number_id": number_id, "access_token": token}


async def save_settings(api: BotsApi, tenant: str, *, app_secret: str = "", verify_token: str = "kettle") -> None:
    credentials = WhatsAppCredentials(
        phone_number_id="1" + secrets.token_hex(4),
        access_token="typed",
        verify_token=verify_token,
        app_secret=app_secret,
    )
    await Integrations(api.database).save(tenant, credentials, SEALER, NOW)


async def signing_secret(api: BotsApi, proof: dict[str, Any]) -> str:
    found = await Integrations(api.database).find(whatsapp_account(proof["phone_number_id"]))
    assert found is not None
    return SEALER.unseal(found.secret or "")


async def test_secret_of_the_settings_counts_where_the_request_has_none(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    """The app's secret was reset at Meta and saved in the settings; then the number is onboarded again."""
    await save_settings(whatsapp_api, business.id, app_secret="old")
    assert (await business.call("POST", MANUAL, json=proof)).status_code == 200
    await save_settings(whatsapp_api, business.id, app_secret="new")

    assert (await business.call("POST", MANUAL, json=proof)).json()["fully_provisioned"]

    assert await signing_secret(whatsapp_api, proof) == "new"


async def test_secret_that_was_given_outlives_a_renewal_without_one(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    assert (await business.call("POST", MANUAL, json=proof | {"app_secret": "given"})).status_code == 200
    await save_settings(whatsapp_api, business.id)

    assert (await business.call("POST", MANUAL, json=proof)).json()["fully_provisioned"]

    assert await signing_secret(whatsapp_api, proof) == "given"


async def test_switch_leaves_a_number_disconnected_that_meta_refused_meanwhile(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    shown = (await business.call("POST", MANUAL, json=proof)).json()["phone_number"]
    stored = NumberRepository(whatsapp_api.database)

    class SlowRepository(NumberRepository):
        async def find(self, tenant: str, id: str) -> PhoneNumber | None:
            found = await super().find(tenant, id)
            assert found is not None
            await stored.disconnect(found, 190)
            return found

    numbers = Numbers(SlowRepository(whatsapp_api.database), BotOfNumber(BotRepository(whatsapp_api.database)))
    await numbers.switch(business.id, shown["id"], False, Actor(ActorKind.PERSON, "usr"), NOW)

    number = await stored.get(business.id, proof["phone_number_id"])
    assert number is not None
    assert (number.registration_status, number.autoreply) == ("disconnected", False)


async def test_verify_token_of_onboarding_outlives_that_of_the_settings(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    integrations, mine, others = Integrations(whatsapp_api.database), secrets.token_hex(8), secrets.token_hex(8)
    await save_settings(whatsapp_api, business.id, verify_token=mine)
    assert (await business.call("POST", MANUAL, json=proof | {"verify_token": mine})).status_code == 200
    await save_settings(whatsapp_api, business.id, verify_token=others)
    assert await integrations.knows_verify_token(mine)

    await save_settings(whatsapp_api, business.id, verify_token=mine)
    assert not await integrations.knows_verify_token(others)
