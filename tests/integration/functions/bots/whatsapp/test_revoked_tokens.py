"""A token that Meta refuses disconnects the number, whatever it was used for; and the conversation of a message."""

from urllib.parse import quote

import httpx2
import pytest

from callmissed.clock import MINUTE, Micros
from callmissed.platform.tables import CONVERSATIONS
from tests.support.bots.bots_api import BotTenant, refused
from tests.support.bots.whatsapp_numbers import NumberedTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
WHATSAPP = "/api/v1/whatsapp"


async def upload(key: BotTenant, numbered: NumberedTenant) -> httpx2.Response:
    form = {"phone_number_id": numbered.number.number_id}
    return await key.call("POST", f"{WHATSAPP}/media", data=form, files={"file": ("a.png", b"\x89PNG", "image/png")})


async def revoked(numbered: NumberedTenant, answer: httpx2.Response) -> None:
    """Check that the answer says that the token is refused, and that the number shows it."""
    refused(answer, 409, "number_disconnected")
    assert (await numbered.stored_number()).registration_status == "disconnected"


async def test_upload_disconnects(key: BotTenant, numbered: NumberedTenant) -> None:
    numbered.sending.graph.revoke_token(numbered.token)

    await revoked(numbered, await upload(key, numbered))


@pytest.mark.parametrize("path", ["", "/content"])
async def test_reading_media_disconnects(key: BotTenant, numbered: NumberedTenant, path: str) -> None:
    media_id = (await upload(key, numbered)).json()["id"]
    numbered.sending.graph.revoke_token(numbered.token)

    await revoked(numbered, await key.call("GET", f"{WHATSAPP}/media/{media_id}{path}"))


async def test_read_receipt_disconnects_and_asks_meta_no_more(key: BotTenant, numbered: NumberedTenant) -> None:
    received = await numbered.received(await numbered.conversation(), "hi")
    path = f"{WHATSAPP}/messages/{quote(received.wamid or '', safe='')}/read"
    numbered.sending.graph.revoke_token(numbered.token)

    await revoked(numbered, await key.call("POST", path))
    numbered.sending.graph.restore_token(numbered.token)
    refused(await key.call("POST", path), 409, "number_disconnected")


async def test_check_of_a_channel_disconnects_the_number_whose_token_it_used(
    key: BotTenant, numbered: NumberedTenant
) -> None:
    bot = await key.bot(config={"phone_number_id": numbered.number.number_id})
    numbered.sending.graph.revoke_token(numbered.token)

    outcome = (await key.call("POST", f"/{bot['id']}/deploy/verify")).json()

    assert outcome["error_message"] == "Meta refuses the access token."
    assert (await numbered.stored_number()).registration_status == "disconnected"


async def test_message_to_an_ended_conversation_goes_into_the_open_one(
    key: BotTenant, numbered: NumberedTenant
) -> None:
    long_ago = Micros(numbered.sending.clock.now - 30 * 60 * MINUTE)
    ended = await numbered.conversation(last_inbound_at=long_ago)
    await numbered.sending.database.update(CONVERSATIONS, ended.key, set={"status": "completed"})
    current = await numbered.conversation(wa_id=ended.user.wa_id)
    new = {"phone_id": numbered.number.id, "conversation_id": ended.id, "text": "hello"}

    answer = await key.call("POST", f"{WHATSAPP}/messages", json=new)

    assert (answer.status_code, answer.json()["messages"][0]["conversation_id"]) == (200, current.id)
