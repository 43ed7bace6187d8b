"""/api/v1/keys, as an owner manages keys whose calls are served at the same time."""

import json
from typing import Any

import pytest

from callmissed.clock import SECOND, iso
from callmissed.keys.records import read_api_keys
from callmissed.platform.tables import IDEMPOTENCY, TENANTS
from callmissed.platform.tables import KEYS as KEY_ITEMS
from tests.support.people import SignedIn, new_tenant
from tests.support.whole_product import Reply, Sent, WholeProduct

KEYS = "/api/v1/keys"
MODELS = "/v1/models"
EVERYTHING: dict[str, Any] = {
    "name": "server",
    "mode": "test",
    "permissions": "stt,llm",
    "scopes": "bots:read, webhooks:write",
    "allowed_domains": "https://App.Example.com",
    "allowed_models": "gemma-4-26b,sandbox,claude-sonnet-4.6:floor",
    "allowed_search_providers": "exa",
    "rate_limit_rpm": 90,
    "budget_limit": 12.5,
    "expires_at": "2099-01-01T05:30:00+05:30",
    "logs_enabled": True,
    "prompt_logging_enabled": True,
}
SHOWN: dict[str, Any] = {
    "name": "server",
    "mode": "test",
    "permissions": "llm,stt",
    "scopes": "bots:read,webhooks:write",
    "allowed_domains": "app.example.com",
    "allowed_models": "anthropic/claude-sonnet-4.6,gemma-4-26b-a4b-it,sandbox",
    "allowed_search_providers": "exa",
    "rate_limit_rpm": 90,
    "rate_limit_from_plan": False,
    "budget_limit": 12.5,
    "budget_used": 0.0,
    "budget_remaining": 12.5,
    "expires_at": "2099-01-01T00:00:00.000Z",
    "last_used_at": None,
    "logs_enabled": True,
    "prompt_logging_enabled": True,
    "is_active": True,
    "status": "active",
    "secrets": 1,
}
PLAIN: dict[str, Any] = {
    "permissions": "*",
    "scopes": "",
    "allowed_domains": "*",
    "allowed_models": "*",
    "allowed_search_providers": "*",
    "rate_limit_rpm": 3000,
    "rate_limit_from_plan": True,
    "budget_limit": None,
    "budget_used": None,
    "budget_remaining": None,
    "expires_at": None,
    "logs_enabled": False,
    "prompt_logging_enabled": False,
}


def body_of(reply: Reply) -> Any:
    return json.loads(reply.body)


async def created(owner: SignedIn, **fields: Any) -> dict[str, Any]:
    reply = await owner.call("POST", KEYS, {"name": "mine", **fields})
    assert reply.status == 201, reply.body
    return body_of(reply)


async def changed(owner: SignedIn, key: dict[str, Any], **fields: Any) -> dict[str, Any]:
    reply = await owner.call("PUT", f"{KEYS}/{key['id']}", fields)
    assert reply.status == 200, reply.body
    return body_of(reply)


async def call(owner: SignedIn, secret: str, path: str = MODELS) -> str:
    """Whether a call with the secret is served: `ok` or the code of its refusal."""
    reply = await owner.product.through_local_gateway(Sent("GET", path, [("Authorization", f"Bearer {secret}")]))
    return "ok" if reply.status == 200 else str(reply.error["code"])


async def events(owner: SignedIn) -> list[dict[str, Any]]:
    return body_of(await owner.call("GET", "/api/v1/audit/events"))


async def test_key_is_created_with_every_field(owner: SignedIn) -> None:
    key = await created(owner, **EVERYTHING)

    assert {name: key[name] for name in SHOWN} == SHOWN
    assert key["key"].startswith("cm_test_")
    assert key["id"] == key["key_id"]
    assert key["masked"].endswith(key["key"][-4:])
    read = body_of(await owner.call("GET", f"{KEYS}/{key['id']}"))
    assert {**read, "key": key["key"]} == key
    assert body_of(await owner.call("GET", KEYS)) == [read]


async def test_key_needs_nothing_but_a_name(owner: SignedIn) -> None:
    key = await created(owner)

    assert {name: key[name] for name in PLAIN} == PLAIN
    assert await call(owner, key["key"]) == "ok"
    used = body_of(await owner.call("GET", f"{KEYS}/{key['id']}"))["last_used_at"]
    assert used <= iso(owner.product.clock())


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_every_field_is_changed_and_changed_back(owner: SignedIn, method: str) -> None:
    key = await created(owner, mode="test")
    fields = {name: value for name, value in EVERYTHING.items() if name != "mode"}

    there = body_of(await owner.call(method, f"{KEYS}/{key['id']}", fields))
    back = body_of(
        await owner.call(method, f"{KEYS}/{key['id']}", {**PLAIN_FIELDS, "name": "mine", "rate_limit_rpm": None})
    )

    assert {name: there[name] for name in SHOWN} == SHOWN
    assert "key" not in there
    assert {name: back[name] for name in PLAIN} == PLAIN


PLAIN_FIELDS = {
    name: value
    for name, value in PLAIN.items()
    if name not in ("budget_used", "budget_remaining", "rate_limit_from_plan")
}


async def test_change_counts_from_the_next_call(owner: SignedIn) -> None:
    key = await created(owner, rate_limit_rpm=1)
    assert [await call(owner, key["key"]) for _ in range(3)] == ["ok", "rate_limit_exceeded", "rate_limit_exceeded"]

    await changed(owner, key, rate_limit_rpm=6000)
    assert [await call(owner, key["key"]) for _ in range(2)] == ["ok", "ok"]
    await changed(owner, key, allowed_domains="a.example.com")
    assert await call(owner, key["key"]) == "domain_not_allowed"
    await changed(owner, key, allowed_domains="*", is_active=False)
    assert await call(owner, key["key"]) == "invalid_api_key"
    assert await call(owner, key["key"], "/api/v1/webhooks") == "invalid_api_key"
    await changed(owner, key, is_active=True)
    assert await call(owner, key["key"], "/api/v1/webhooks") == "permission_denied"
    await changed(owner, key, scopes="webhooks:write")
    assert await call(owner, key["key"], "/api/v1/webhooks") == "ok"


async def test_revoked_key_stays_in_the_list_for_30_days(owner: SignedIn) -> None:
    key = await created(owner, budget_limit=5)

    replies = [await owner.call("DELETE", f"{KEYS}/{key['id']}") for _ in range(2)]

    assert [(reply.status, reply.body) for reply in replies] == [(204, b"")] * 2
    assert await call(owner, key["key"]) == "invalid_api_key"
    (listed,) = body_of(await owner.call("GET", KEYS))
    assert (listed["status"], listed["is_active"], listed["secrets"]) == ("revoked", False, 0)
    again = await owner.call("PUT", f"{KEYS}/{key['id']}", {"is_active": True})
    assert (again.status, again.error["code"]) == (409, "conflict")
    (record,) = await read_api_keys(owner.product.database, owner.tenant)
    item, now = await owner.product.database.get(KEY_ITEMS, {"id": record.newest}), owner.product.clock() // SECOND
    assert now + 30 * 24 * 3600 - 60 < item["ttl"] == record.ttl <= now + 30 * 24 * 3600
    record_key = {"tenant": owner.tenant, "item": f"KEY#{key['id']}"}
    await owner.product.database.update_if(TENANTS, record_key, set={"ttl": now})
    assert body_of(await owner.call("GET", KEYS)) == []


async def test_keys_are_listed_page_by_page(owner: SignedIn) -> None:
    made = [(await created(owner, name=f"{number}"))["id"] for number in range(5)]
    pages, query = list[list[str]](), "limit=2"
    for _ in range(3):
        reply = await owner.call("GET", KEYS, query=query)
        pages.append([key["id"] for key in body_of(reply)])
        query = f"limit=2&cursor={reply.headers.get('x-next-cursor')}"

    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(key_id for page in pages for key_id in page) == sorted(made)
    assert query.endswith("=None")
    for cursor in ("A" * 71, "short"):
        assert (await owner.call("GET", KEYS, query=f"cursor={cursor}")).status == 422


async def test_rotation_gives_a_new_secret_and_the_old_one_its_overlap(owner: SignedIn) -> None:
    key = await created(owner, budget_limit=10)

    overlapping = body_of(await owner.call("POST", f"{KEYS}/{key['id']}/rotate", {"overlap_hours": 0.5}))
    state = body_of(await owner.call("GET", f"{KEYS}/{key['id']}/rate-state"))
    assert [await call(owner, each["key"]) for each in (key, overlapping)] == ["ok", "ok"]
    at_once = body_of(await owner.call("POST", f"{KEYS}/{key['id']}/rotate"))

    assert {key["id"], overlapping["id"], at_once["id"]} == {key["id"]}
    assert (overlapping["secrets"], at_once["secrets"]) == (2, 1)
    assert (state["budget_limit"], state["budget_remaining"]) == (10.0, 10.0)
    assert [await call(owner, each["key"]) for each in (key, overlapping, at_once)] == [
        "invalid_api_key",
        "invalid_api_key",
        "ok",
    ]


@pytest.mark.parametrize("hours", [-1, 24.1, "soon", None])
async def test_overlap_is_a_day_at_most(owner: SignedIn, hours: Any) -> None:
    key = await created(owner)

    reply = await owner.call("POST", f"{KEYS}/{key['id']}/rotate", {"overlap_hours": hours})

    assert reply.status == 422


async def test_rate_state_shows_what_may_be_called(owner: SignedIn) -> None:
    key = await created(owner, rate_limit_rpm=60, budget_limit=2)
    await call(owner, key["key"])

    state = body_of(await owner.call("GET", f"{KEYS}/{key['id']}/rate-state"))

    assert state["requests_remaining"] in (9, 10)
    assert 0 <= state["reset_seconds"] <= 1
    expected = {"key_id": key["id"], "rate_limit_rpm": 60, "burst_limit": 10, "budget_limit": 2.0}
    assert expected.items() <= state.items()
    assert (state["budget_used"], state["budget_remaining"]) == (0.0, 2.0)
    assert state["budget_month"] == iso(owner.product.clock())[:7]


@pytest.mark.parametrize("step", ["request", "verify"])
async def test_secret_is_never_revealed(owner: SignedIn, step: str) -> None:
    key = await created(owner)

    reply = await owner.call("POST", f"{KEYS}/{key['id']}/reveal/{step}", {"code": "123456"})

    assert (reply.status, reply.error["code"]) == (410, "gone")
    assert f"{KEYS}/{key['id']}/rotate" in reply.error["message"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"allowed_models": "gemma-4-26b,gpt-0"}, 400),
        ({"allowed_models": ""}, 400),
        ({"allowed_models": "\u2028"}, 400),
        ({"permissions": "video"}, 400),
        ({"scopes": "bots:fly"}, 400),
        ({"allowed_domains": "https://a.example.com/page"}, 400),
        ({"allowed_search_providers": "bing"}, 400),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"expires_at": "2099-01-01T00:00:00"}, 422),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, 400),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, 400),
        ({"expires_at": True}, 422),
        ({"rate_limit_rpm": 0}, 422),
        ({"rate_limit_rpm": True}, 422),
        ({"rate_limit_rpm": 60_001}, 422),
        ({"budget_limit": -0.5}, 422),
        ({"budget_limit": 1e12}, 422),
        ({"budget_limit": True}, 422),
        ({"budget_limit": float("inf")}, 422),
        ({"budget_limit": float("nan")}, 422),
        ({"name": ""}, 422),
        ({"name": "two\nlines"}, 400),
        ({"is_active": "perhaps"}, 422),
        ({"surprise": 1}, 422),
    ],
)
async def test_wrong_value_is_refused_when_a_key_is_made_and_when_it_changes(
    owner: SignedIn, fields: dict[str, Any], status: int
) -> None:
    key = await created(owner)

    made = await owner.call("POST", KEYS, {"name": "wrong", **fields})
    change = await owner.call("PUT", f"{KEYS}/{key['id']}", fields)

    assert (made.status if "is_active" not in fields else 422, change.status) == (status, status)
    assert [each["id"] for each in body_of(await owner.call("GET", KEYS))] == [key["id"]]
    assert len(await events(owner)) == 1


async def test_change_of_nothing_is_no_change(owner: SignedIn) -> None:
    key = await created(owner)

    same = await changed(owner, key)

    assert {**same, "key": key["key"]} == key
    assert len(await events(owner)) == 1


async def test_each_change_is_in_the_audit_log_without_secrets(owner: SignedIn) -> None:
    key = await created(owner, name="first", budget_limit=1)
    await changed(owner, key, name="second", budget_limit=2.5, is_active=False)
    rotated = body_of(await owner.call("POST", f"{KEYS}/{key['id']}/rotate", {"overlap_hours": 1}))
    await owner.call("DELETE", f"{KEYS}/{key['id']}")

    revoke, rotate, update, create = await events(owner)

    assert [event["action"] for event in (create, update, rotate, revoke)] == [
        "key.create",
        "key.update",
        "key.rotate",
        "key.revoke",
    ]
    assert {event["resource_id"] for event in (create, update, rotate, revoke)} == {key["id"]}
    assert {event["user_id"] for event in (create, update, rotate, revoke)} == {owner.user.user_id}
    assert create["metadata"]["after"]["name"] == "first"
    assert update["metadata"] == {
        "before": {"name": "first", "budget_limit": "1", "status": "active"},
        "after": {"name": "second", "budget_limit": "2.5", "status": "paused"},
    }
    assert rotate["metadata"]["overlap_minutes"] == 60
    assert revoke["metadata"] == {"before": {"status": "paused"}, "after": {"status": "revoked"}}
    text = json.dumps([create, update, rotate, revoke])
    assert key["key"][12:-4] not in text
    assert rotated["key"][12:-4] not in text


async def test_repeated_request_gets_the_same_secret_which_is_stored_sealed(owner: SignedIn) -> None:
    headers = {"Idempotency-Key": "create-a-key"}

    first, second = [await owner.call("POST", KEYS, {"name": "once"}, headers) for _ in range(2)]

    assert first.body == second.body
    assert second.headers["idempotent-replayed"] == "true"
    assert len(body_of(await owner.call("GET", KEYS))) == 1
    secret = body_of(first)["key"]
    stored = [item async for item in owner.product.database.scan(IDEMPOTENCY)]
    assert stored
    assert not any(secret[12:].encode() in item.get("b", b"") for item in stored)


async def test_request_whose_process_died_makes_no_second_key(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Idempotency-Key": "create-and-die"}
    from callmissed.idempotency.store import IdempotencyStore

    async def die(*_: Any) -> None:
        raise ConnectionError("the process died")

    with monkeypatch.context() as dying:
        dying.setattr(IdempotencyStore, "complete", die)
        failed = await owner.call("POST", KEYS, {"name": "once"}, headers)
    (lost,) = body_of(await owner.call("GET", KEYS))

    again = await owner.call("POST", KEYS, {"name": "once"}, headers)

    assert (failed.status, again.status) == (500, 201)
    (key,) = body_of(await owner.call("GET", KEYS))
    assert key["id"] == lost["id"] == body_of(again)["id"]
    assert key["masked"] != lost["masked"]
    assert await call(owner, body_of(again)["key"]) == "ok"


async def test_other_tenants_see_none_of_it(product: WholeProduct, owner: SignedIn) -> None:
    stranger, key = await new_tenant(product), await created(owner)

    replies = [
        await stranger.call(method, f"{KEYS}/{key['id']}{path}", body)
        for method, path, body in [
            ("GET", "", None),
            ("PUT", "", {"name": "stolen"}),
            ("DELETE", "", None),
            ("POST", "/rotate", {}),
            ("GET", "/rate-state", None),
            ("POST", "/reveal/request", {}),
        ]
    ]

    assert {(reply.status, reply.error["message"]) for reply in replies} == {(404, "No such key.")}
    assert body_of(await stranger.call("GET", KEYS)) == []
    assert await call(owner, key["key"]) == "ok"
