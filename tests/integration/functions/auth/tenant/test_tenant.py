"""The tenant over the API: settings, first steps, and billing."""

import json
from typing import Any

import pytest

from callmissed.platform.routes import Role
from tests.support.people import SignedIn, new_member, new_tenant
from tests.support.whole_product import Reply, WholeProduct

ME = "/api/v1/tenants/me"


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


async def get(person: SignedIn, path: str = "") -> Any:
    reply = await person.call("GET", f"{ME}{path}")
    assert reply.status == 200, reply.body
    return body(reply)


async def test_new_tenant_has_the_defaults(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    assert await get(owner) == {
        "id": owner.tenant,
        "name": "Tests",
        "slug": f"tests-{owner.tenant[-6:]}",
        "plan": "pro",
        "status": "active",
        "is_active": True,
        "created_at": (await get(owner))["created_at"],
        "owner_id": owner.user.user_id,
        "team_members": 1,
        "preferences": {},
        "default_search_provider": None,
        "prompt_log_retention_days": 30,
        "conversation_retention_days": None,
    }


async def test_change_touches_what_it_names(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    admin = await new_member(owner, Role.ADMIN)

    changes = {"name": " Blue Kettle ", "default_search_provider": "exa", "prompt_log_retention_days": 7}
    changed = body(await admin.call("PATCH", ME, changes))
    preferences = {"theme": "dark", "columns": 3, "tour_done": True}
    await admin.call("PATCH", ME, {"preferences": preferences, "conversation_retention_days": 90})
    reset = body(await admin.call("PATCH", ME, {"default_search_provider": None, "conversation_retention_days": None}))

    assert (changed["name"], changed["default_search_provider"]) == ("Blue Kettle", "exa")
    assert reset == changed | {"default_search_provider": None, "preferences": preferences}
    events: list[Any] = body(await owner.call("GET", "/api/v1/audit/events"))
    assert [event["action"] for event in events] == ["tenant.update"] * 3
    assert events[0]["metadata"] == {
        "before": {"default_search_provider": "exa", "conversation_retention_days": 90},
        "after": {"default_search_provider": None, "conversation_retention_days": None},
    }


async def test_preferences_keep_their_kinds(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    for value in (True, 1, False, 0, 1.0, "1"):
        changed = body(await owner.call("PATCH", ME, {"preferences": {"tour": value}}))["preferences"]["tour"]
        assert (type(changed), changed) == (int if isinstance(value, float) else type(value), value)


async def test_change_to_what_is_there_leaves_no_trace(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    assert (await owner.call("PATCH", ME, {"name": "Tests"})).status == 200
    assert (await owner.call("PATCH", ME, {})).status == 200

    assert body(await owner.call("GET", "/api/v1/audit/events")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": None},
        {"plan": "enterprise"},
        {"default_search_provider": "altavista"},
        {"prompt_log_retention_days": 0},
        {"prompt_log_retention_days": 366},
        {"prompt_log_retention_days": True},
        {"conversation_retention_days": 3651},
        {"preferences": {"a b": 1}},
        {"preferences": {"ratio": 0.5}},
        {"preferences": {"deep": {"er": 1}}},
        {"preferences": {f"p{number}": 1 for number in range(51)}},
        {"preferences": {"long": "x" * 257}},
        {"preferences": {f"p{number}": "é" * 250 for number in range(5)}},
    ],
)
async def test_change_that_can_not_be_is_refused(product: WholeProduct, changes: dict[str, Any]) -> None:
    owner = await new_tenant(product)

    assert (await owner.call("PATCH", ME, changes)).status == 422


async def test_first_steps_are_those_that_were_taken(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    nothing = {"api_key_created": False, "first_call_made": False, "team_invited": False, "completed": False}
    assert await get(owner, "/onboarding") == nothing

    await owner.call("POST", "/api/v1/keys", {"name": "mine"})
    await new_member(owner, Role.AGENT)

    assert await get(owner, "/onboarding") == nothing | {"api_key_created": True, "team_invited": True}
