"""The API of media: up to Meta and down from it, through us."""

import pytest

from callmissed.platform.tables import MESSAGES
from tests.support.bots.bots_api import KEY, BotsApi, BotTenant, refused
from tests.support.bots.whatsapp_numbers import NumberedTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATH = "/api/v1/whatsapp/media"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


async def uploaded(key: BotTenant, numbered: NumberedTenant, content: bytes = PNG) -> str:
    form = {"phone_number_id": numbered.number.number_id}
    answer = await key.call("POST", PATH, data=form, files={"file": ('a"\r\nb.png', content, "image/png")})
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"] == answer.json()["media_id"]
    return answer.json()["id"]


async def test_upload_is_described_downloaded_and_sent(key: BotTenant, numbered: NumberedTenant) -> None:
    media_id = await uploaded(key, numbered)
    shown = (await key.call("GET", f"{PATH}/{media_id}")).json()
    assert (shown["id"], shown["mime_type"], shown["file_size"]) == (media_id, "image/png", len(PNG))
    assert "url" not in shown
    content = await key.call("GET", f"{PATH}/{media_id}/content")
    assert (content.status_code, content.content) == (200, PNG)
    assert content.headers["content-type"] == "image/png"
    assert content.headers["content-disposition"] == "attachment"
    conversation = await numbered.conversation()
    new = {"phone_id": numbered.number.id, "to": conversation.user.wa_id, "type": "image", "media_id": media_id}
    assert (await key.call("POST", "/api/v1/whatsapp/messages/media", json=new)).status_code == 200
    (entry,) = numbered.delivered(conversation)
    assert entry.content == {"id": media_id.rpartition("_")[2]}


async def test_media_of_a_received_message_are_downloaded(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    meta_id = (await uploaded(key, numbered)).rpartition("_")[2]
    received = await numbered.received(conversation, "see")
    ours = f"med_{conversation.id}_{received.id.removeprefix('msg_')}"
    await numbered.sending.database.update(MESSAGES, received.key, set={"media": {"id": ours, "meta_id": meta_id}})
    content = await key.call("GET", f"{PATH}/{ours}/content")
    assert (content.status_code, content.content) == (200, PNG)


async def test_id_of_meta_needs_the_number(key: BotTenant, numbered: NumberedTenant) -> None:
    meta_id = (await uploaded(key, numbered)).rpartition("_")[2]
    refused(await key.call("GET", f"{PATH}/{meta_id}"), 400, "invalid_request_error")
    query = {"phone_id": numbered.number.id}
    assert (await key.call("GET", f"{PATH}/{meta_id}", params=query)).json()["id"] == meta_id


async def test_gone_and_unknown_media_are_404(key: BotTenant, numbered: NumberedTenant) -> None:
    media_id = await uploaded(key, numbered)
    numbered.sending.graph.expire_media(media_id.rpartition("_")[2])
    for id in (media_id, f"mda_{numbered.number.number_id}_1", "mda_1_1", "x", "../me", "med_a_b"):
        for path in (f"{PATH}/{id}", f"{PATH}/{id}/content"):
            assert (await key.call("GET", path)).status_code == 404


async def test_large_media_are_refused(key: BotTenant, numbered: NumberedTenant) -> None:
    form = {"phone_id": numbered.number.id}
    files = {"file": ("a.png", b"x" * (4 * 1024 * 1024 + 1), "image/png")}
    refused(await key.call("POST", PATH, data=form, files=files), 413, "file_too_large")


async def test_type_that_whatsapp_does_not_take_is_named(key: BotTenant, numbered: NumberedTenant) -> None:
    form = {"phone_id": numbered.number.id}
    answer = await key.call("POST", PATH, data=form, files={"file": ("a.zip", PNG, "application/zip")})
    assert refused(answer, 422, "unsupported_media")["details"][0]["loc"] == ["body", "file"]


async def test_graph_that_does_not_answer_is_503(key: BotTenant, numbered: NumberedTenant) -> None:
    media_id = await uploaded(key, numbered)
    numbered.sending.graph.fault("server_error", status=500, on="*", times=1)
    answer = await key.call("GET", f"{PATH}/{media_id}")
    refused(answer, 503, "whatsapp_unavailable")
    assert numbered.token not in answer.text


async def test_other_tenants_reach_no_media(api: BotsApi, key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    media_id = await uploaded(key, numbered)
    meta_id = media_id.rpartition("_")[2]
    received = await numbered.received(conversation, "see")
    ours = f"med_{conversation.id}_{received.id.removeprefix('msg_')}"
    await numbered.sending.database.update(MESSAGES, received.key, set={"media": {"id": ours, "meta_id": meta_id}})
    other = await numbered.sending.tenant()
    foreign = api.tenant(other.id)
    for id in (media_id, ours, f"mda_{other.number.number_id}_{meta_id}"):
        for path in (f"{PATH}/{id}", f"{PATH}/{id}/content"):
            refused(await foreign.call("GET", path), 404, "not_found")
    theirs = {"phone_id": other.number.id, "conversation_id": (await other.conversation()).id, "type": "image"}
    for id in (media_id, ours):
        new = {**theirs, "media_id": id}
        refused(await foreign.call("POST", "/api/v1/whatsapp/messages/media", json=new), 404, "not_found")


async def test_test_key_uploads_nothing(api: BotsApi, numbered: NumberedTenant) -> None:
    key = api.tenant(numbered.id, **{**KEY, "mode": "test"})
    form = {"phone_id": numbered.number.id}
    answer = await key.call("POST", PATH, data=form, files={"file": ("a.png", PNG, "image/png")})
    assert (answer.status_code, answer.headers["x-callmissed-sandbox"]) == (201, "true")
    assert answer.json()["id"].startswith("mda_0_")
