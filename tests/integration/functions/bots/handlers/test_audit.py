"""Every route of bots that changes something leaves an event, in the transaction of the change.

The routes are the route table's: a new one is called here as it comes.
"""

import json
from typing import Any

import pytest

from callmissed.audit.events import stored_event_of
from callmissed.platform.functions import BOTS_API
from callmissed.platform.routes import ROUTES, Route
from callmissed.platform.tables import AUDIT, physical_name
from tests.support.bots.bots_api import BotsApi, BotTenant
from tests.support.bots.owned import name_of, new_owned

OF_OTHER_TESTS = ("/onboarding/", "/deploy/verify", "/messages", "/media", "/ai-draft")
"""They reach Meta or a model; the tests of their packages have them."""

WITHOUT_EVENT = {
    "POST /api/v1/bots/validate-config",
    "POST /api/v1/conversations/{conversation_id}/read",
    "POST /api/v1/conversations/{conversation_id}/unread",
}
"""They change nothing, or what nobody asks an audit log for."""

CHANGING = [
    route
    for route in ROUTES
    if route.function == BOTS_API.name
    and route.method != "GET"
    and name_of(route) not in WITHOUT_EVENT
    and not any(part in route.path for part in OF_OTHER_TESTS)
]


@pytest.mark.parametrize("route", CHANGING, ids=name_of)
async def test_change_leaves_an_event_in_its_transaction(
    bots_api: BotsApi, monkeypatch: pytest.MonkeyPatch, route: Route
) -> None:
    owned = await new_owned(bots_api)
    writes, send = list[set[str]](), bots_api.database.dynamodb.send

    async def sending(operation: str, payload: bytes) -> dict[str, Any]:
        if operation in ("TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem"):
            writes.append(tables_of(json.loads(payload)))
        return await send(operation, payload)

    monkeypatch.setattr(bots_api.database.dynamodb, "send", sending)
    answer = await owned.tenant.call(**owned.request(route))

    assert answer.is_success, answer.text
    assert writes
    assert physical_name(bots_api.database.stage, AUDIT) in writes[0]


def tables_of(request: dict[str, Any]) -> set[str]:
    """Tables that a request writes to."""
    parts = [part for each in request.get("TransactItems", [{"": request}]) for part in each.values()]
    return {part["TableName"] for part in parts}


async def events_of(api: BotsApi, tenant: BotTenant) -> list[tuple[str, dict[str, Any]]]:
    """Action and metadata of the tenant's events, oldest first."""
    stored = [stored_event_of(item) async for item in api.database.query(AUDIT, tenant.id, consistent=True)]
    return [(each.event.action, dict(each.event.metadata)) for each in stored]


async def test_life_of_a_bot_is_audited_without_prompts_and_secrets(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot(system_prompt="a private prompt", config={"access_token": "EAAG-secret", "language": "hi"})
    bots_api.clock.now += 1_000
    config = {"access_token": "EAAG-other", "language": "en"}
    await tenant.call("PUT", f"/{bot['id']}", json={"name": "B", "system_prompt": "another prompt", "config": config})
    bots_api.clock.now += 1_000
    await tenant.call("POST", f"/{bot['id']}/toggle")
    bots_api.clock.now += 1_000
    await tenant.call("DELETE", f"/{bot['id']}")

    events = await events_of(bots_api, tenant)

    assert [action for action, _ in events] == ["bot.create", "bot.update", "bot.toggle", "bot.delete"]
    assert events[1][1] == {
        "before": {"name": "Opening hours", "system_prompt_length": 16},
        "after": {"name": "B", "system_prompt_length": 14},
        "replaced": ["system_prompt", "config"],
    }
    for private in ("private prompt", "another prompt", "EAAG"):
        assert private not in str(events)
