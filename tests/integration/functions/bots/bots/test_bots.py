"""A tenant's bots: created, listed, changed, toggled, deleted; credentials sealed."""

from typing import Any
from uuid import UUID

import pytest

from callmissed.clock import SECOND
from callmissed.ids import new_id
from callmissed.platform.tables import BOTS
from callmissed.tenants.bots import bot_key
from functions.bots.bots.credentials import MASK
from functions.bots.bots.records import count_key
from functions.bots.bots.repository import count_operation
from tests.support.bots.bots_api import NEW, PATH, BotsApi, BotTenant, refused

JSON = {"Content-Type": "application/json"}
SECRET = "EAAG-a-token-of-meta"


async def test_bot_has_the_fields_of_the_contract(tenant: BotTenant) -> None:
    bot = await tenant.bot(config={"language": "hi-IN"})

    assert UUID(bot["id"]).version == 7
    assert bot == {
        "id": bot["id"],
        "tenant_id": tenant.id,
        **NEW,
        "config": {"language": "hi-IN"},
        "config_warnings": [],
        "is_active": True,
        "conversation_count": 0,
        "created_at": "2026-11-25T09:30:00.000Z",
        "updated_at": "2026-11-25T09:30:00.000Z",
    }
    assert (await tenant.call("GET", f"/{bot['id']}")).json() == bot
    assert (await tenant.call("GET")).json() == [bot]


async def test_bots_are_listed_newest_first_in_pages(bots_api: BotsApi, tenant: BotTenant) -> None:
    created: list[str] = []
    for _ in range(5):
        bots_api.clock.now += SECOND
        created.append((await tenant.bot())["id"])
    newest = created[::-1]

    first = await tenant.call("GET", params={"limit": 3})
    assert [bot["id"] for bot in first.json()] == newest[:3]
    assert first.headers["link"] == f'<{PATH}?limit=3&before={newest[2]}>; rel="next"'
    second = await tenant.call("GET", params={"limit": 3, "before": newest[2]})
    assert [bot["id"] for bot in second.json()] == newest[3:]
    assert "link" not in second.headers


async def test_list_is_bounded_in_bytes(tenant: BotTenant) -> None:
    for _ in range(16):
        await tenant.bot(system_prompt="न" * 50_000)

    answer = await tenant.call("GET")

    assert len(answer.content) < 4 * 1024 * 1024
    rest = await tenant.call("GET", params={"before": answer.json()[-1]["id"]})
    assert len(answer.json()) + len(rest.json()) == 16


async def test_conversations_are_counted(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot()
    for _ in range(2):
        await bots_api.database.transact([count_operation(tenant.id, bot["id"])])

    assert (await tenant.call("GET", f"/{bot['id']}")).json()["conversation_count"] == 2
    assert (await tenant.call("GET")).json()[0]["conversation_count"] == 2
    assert (await tenant.call("PUT", f"/{bot['id']}", json={"name": "B"})).json()["conversation_count"] == 2


async def test_put_changes_what_it_names(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot(config={"language": "hi-IN", "quiet_seconds": 5})
    bots_api.clock.now += SECOND

    answer = await tenant.call("PUT", f"/{bot['id']}", json={"name": "B", "config": {"quiet_seconds": 0}})

    changed = {"name": "B", "config": {"quiet_seconds": 0}, "updated_at": "2026-11-25T09:30:01.000Z"}
    assert answer.json() == bot | changed
    assert (await tenant.call("PUT", f"/{bot['id']}", json={})).json() == bot | changed
    for body in ({"type": "ivr"}, {"config": {"quiet_seconds": 31}}, {"name": ""}, {"system_prompt": "a" * 50_001}):
        refused(await tenant.call("PUT", f"/{bot['id']}", json=body), 422, "invalid_request_error")


async def test_toggle_flips_once_for_an_operation(tenant: BotTenant) -> None:
    one = f"/{(await tenant.bot())['id']}/toggle"

    assert [(await tenant.call("POST", one)).json()["is_active"] for _ in range(3)] == [False, True, False]
    again = [await tenant.call("POST", one, operation="op_1") for _ in range(2)]
    assert [answer.json()["is_active"] for answer in again] == [True, True]


async def test_toggle_that_is_run_again_after_another_one_flips_nothing(tenant: BotTenant) -> None:
    one = f"/{(await tenant.bot())['id']}/toggle"

    for operation, is_active in (("op_1", False), ("op_2", True), ("op_1", True), ("op_2", True)):
        assert (await tenant.call("POST", one, operation=operation)).json()["is_active"] is is_active


async def test_operation_creates_one_bot(bots_api: BotsApi, tenant: BotTenant) -> None:
    answers = [await tenant.call("POST", json=NEW, operation="0" * 32) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len((await tenant.call("GET")).json()) == 1


async def test_deleted_bot_is_gone_with_its_count(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot()
    await bots_api.database.transact([count_operation(tenant.id, bot["id"])])

    assert (await tenant.call("DELETE", f"/{bot['id']}")).status_code == 204
    refused(await tenant.call("GET", f"/{bot['id']}"), 404, "not_found")
    refused(await tenant.call("DELETE", f"/{bot['id']}"), 404, "not_found")
    for key in (bot_key, count_key):
        assert not await bots_api.database.get(BOTS, key(tenant.id, bot["id"]))


@pytest.mark.parametrize("config", [{"access_token": SECRET}, {"tools": [{"Deep": {"X-API-Key": SECRET}}]}])
async def test_credentials_are_sealed_and_masked(bots_api: BotsApi, tenant: BotTenant, config: dict[str, Any]) -> None:
    created = await tenant.call("POST", json={**NEW, "config": config})
    bot = created.json()
    answers = [
        created,
        await tenant.call("GET"),
        await tenant.call("GET", f"/{bot['id']}"),
        await tenant.call("PUT", f"/{bot['id']}", json={"config": bot["config"]}),
        await tenant.call("POST", f"/{bot['id']}/toggle"),
    ]

    stored = await bots_api.database.get(BOTS, bot_key(tenant.id, bot["id"]))
    assert SECRET not in str(stored)
    for answer in answers:
        assert SECRET not in answer.text
        assert MASK in answer.text


async def test_mask_that_stands_for_nothing_is_refused(tenant: BotTenant) -> None:
    created = await tenant.call("POST", json={**NEW, "config": {"a": {"token": MASK}}})

    assert refused(created, 422, "invalid_request_error")["details"][0]["loc"] == ["body", "config", "a", "token"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"config": {"quiet_seconds": 31}}, ["body", "config", "quiet_seconds"]),
        ({"config": {"quiet_seconds": True}}, ["body", "config", "quiet_seconds"]),
        ({"config": {"opt_out_words": ["?"]}}, ["body", "config", "opt_out_words"]),
        ({"config": {"a": "x" * 70_000}}, ["body", "config"]),
        ({"type": "sms"}, ["body", "type"]),
        ({"name": "a" * 256}, ["body", "name"]),
        ({"unknown": 1}, ["body", "unknown"]),
    ],
)
async def test_what_is_wrong_is_named(tenant: BotTenant, body: dict[str, Any], place: list[str]) -> None:
    error = refused(await tenant.call("POST", json={**NEW, **body}), 422, "invalid_request_error")

    assert error["details"][0]["loc"] == place


async def test_deep_or_unreadable_configurations_are_refused(tenant: BotTenant) -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    head = b'{"name": "a", "type": "ivr", "config": '
    odd = [b'{"a": "\\ud800"}}', b'{"\\ud800": 1}}', b'{"a": NaN}}', b'{"a": 1e999}}']

    refused(await tenant.call("POST", json={**NEW, "config": deep}), 422, "invalid_request_error")
    for path, begun in (("", head), ("/validate-config", b'{"config": ')):
        for config in odd:
            answer = await tenant.call("POST", path, content=begun + config, headers=JSON)
            assert answer.status_code in (400, 422), answer.text


async def test_configuration_is_checked_without_a_bot(tenant: BotTenant) -> None:
    config = {"quiet_seconds": 31, "tone": "warm", "model": "gpt-unknown"}
    checked = (await tenant.call("POST", "/validate-config", json={"config": config})).json()

    assert checked == {
        "valid": False,
        "errors": [{"loc": ["config", "quiet_seconds"], "msg": "Input should be less than or equal to 30"}],
        "config_warnings": ["'tone' is no field that we know.", "The catalog has no chat model 'gpt-unknown'."],
    }
    schema = (await tenant.call("GET", "/config-schema")).json()
    assert schema["properties"]["quiet_seconds"]["default"] == 3


@pytest.mark.parametrize("bot_id", ["a", "019ac2a5", "%23"])
async def test_id_that_is_no_uuid_is_422(tenant: BotTenant, bot_id: str) -> None:
    refused(await tenant.call("GET", f"/{bot_id}"), 422, "invalid_request_error")


async def test_bots_of_others_are_404(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot()
    stranger = bots_api.tenant(new_id("tnt"))

    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/toggle"), ("POST", "/deploy/verify")):
        refused(await stranger.call(method, f"/{bot['id']}{path}", json={}), 404, "not_found")
    assert (await stranger.call("GET")).json() == []
