"""Numbers: the bot that answers, the switch, and what becomes of them with their bot."""

from uuid import uuid4

import pytest

from functions.bots.numbers.records import PhoneNumber
from functions.bots.numbers.repository import NumberRepository, save_operation
from tests.support.bots.bots_api import NOW, BotsApi, BotTenant, refused

NUMBERS = "/api/v1/whatsapp/phone_numbers"


async def new_number(api: BotsApi, tenant: BotTenant, number_id: str = "1066") -> PhoneNumber:
    """A connected number of the tenant."""
    number = PhoneNumber(
        tenant=tenant.id,
        id=str(uuid4()),
        account_id=str(uuid4()),
        waba_id="1",
        number_id=number_id,
        display_phone_number="+91 80000 00001",
        verified_name="Blue Kettle",
        token="sealed",
        created=NOW,
    )
    await api.database.transact([save_operation(number, None)])
    return number


async def test_bot_is_linked_and_unlinked(bots_api: BotsApi, tenant: BotTenant) -> None:
    number, bot = await new_number(bots_api, tenant), await tenant.bot()
    path = f"{NUMBERS}/{number.id}/link-bot"

    linked = await tenant.call("POST", path, json={"bot_id": bot["id"]})
    assert linked.json()["bot_id"] == bot["id"]
    assert (await tenant.call("GET", NUMBERS)).json() == [linked.json()]
    assert (await tenant.call("POST", path, json={"bot_id": None})).json()["bot_id"] is None
    refused(await tenant.call("POST", path, json={}), 422, "invalid_request_error")


async def test_bot_of_others_or_of_calls_is_not_linked(bots_api: BotsApi, tenant: BotTenant) -> None:
    number, foreign = await new_number(bots_api, tenant), await bots_api.tenant().bot()
    ivr = await tenant.bot(type="ivr")
    path = f"{NUMBERS}/{number.id}/link-bot"

    for bot_id, status in ((foreign["id"], 404), (str(uuid4()), 404), (ivr["id"], 422)):
        assert (await tenant.call("POST", path, json={"bot_id": bot_id})).status_code == status


async def test_switch_is_stored(bots_api: BotsApi, tenant: BotTenant) -> None:
    number = await new_number(bots_api, tenant)
    path = f"{NUMBERS}/{number.id}/autoreply"

    assert (await tenant.call("POST", path, json={"enabled": False})).json()["ai_autoreply_enabled"] is False
    stored = await NumberRepository(bots_api.database).get(tenant.id, number.number_id)
    assert stored and (stored.autoreply, stored.revision) == (False, 2)


async def test_deleted_bot_is_unlinked_from_all_its_numbers(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot, other = await tenant.bot(), await tenant.bot()
    for index in range(93):
        number = await new_number(bots_api, tenant, str(1000 + index))
        linked = other if index == 0 else bot
        await tenant.call("POST", f"{NUMBERS}/{number.id}/link-bot", json={"bot_id": linked["id"]})

    assert (await tenant.call("DELETE", f"/{bot['id']}")).status_code == 204

    left = [number["bot_id"] for number in (await tenant.call("GET", NUMBERS)).json()]
    assert sorted(filter(None, left)) == [other["id"]]


@pytest.mark.parametrize("action", ["link-bot", "autoreply"])
async def test_numbers_of_others_are_404(bots_api: BotsApi, tenant: BotTenant, action: str) -> None:
    number, stranger = await new_number(bots_api, tenant), bots_api.tenant()
    body = {"bot_id": None} if action == "link-bot" else {"enabled": True}

    for path in (f"{NUMBERS}/{number.id}/{action}", f"{NUMBERS}/{uuid4()}/{action}"):
        refused(await stranger.call("POST", path, json=body), 404, "not_found")
    assert (await stranger.call("GET", NUMBERS)).json() == []
