"""The authorizer: accepted callers with their context, refused ones with their error, no secret in any output."""

import asyncio
from typing import Any

import pytest

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.keys.management import NewKey
from callmissed.keys.secret import Mode, new_secret
from callmissed.plans.plans import Plan
from callmissed.platform.routes import ROUTES, Auth
from functions.auth import authorizer
from functions.auth.authorizer import Policy, request_of
from tests.support.authorizer_requests import ARN, request
from tests.support.keys.authenticators import only_keys
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

HOOKS = frozenset({"webhooks:write"})
SCOPE_MISSING = (
    "API key missing required scope: webhooks:write. Add it under the key's 'Permissions' section in your dashboard."
)


async def authorize(event: dict[str, Any], authenticator: KeyAuthenticator, now: int) -> Policy:
    return await authorizer.authorize(request_of(event), only_keys(authenticator), Micros(now))


async def asked(key_store: KeyStore, event: dict[str, Any], now: int = NOVEMBER) -> Policy:
    """What a fresh process answers."""
    return await authorize(event, key_store.ring(OLD), now)


async def refusal(key_store: KeyStore, event: dict[str, Any], now: int = NOVEMBER) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        await asked(key_store, event, now)
    return refused.value.status, refused.value.message


def outcome(policy: Policy) -> str:
    """`allowed`, or the code with which the function refuses the caller, of whom it learns nothing."""
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    context = policy["context"]
    if "refused" not in context:
        assert context["tenant"]
        return "allowed"
    assert context.keys() <= {"refused", "code", "message", "retry_after"}
    return context["code"]


@pytest.mark.parametrize("mode", Mode)
async def test_a_key_with_the_scope_is_let_through_and_introduced(key_store: KeyStore, mode: Mode) -> None:
    tenant = await key_store.tenant(Plan.STARTER)
    key = await key_store.key(tenant, mode=mode, scopes=HOOKS | {"bots:read"})

    policy = await asked(key_store, request(key.secret))

    assert policy == {
        "principalId": key.record.key_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{ARN}/GET/api/v1/webhooks"}
            ],
        },
        "context": {
            "tenant": tenant,
            "key_id": key.record.key_id,
            "mode": str(mode),
            "plan": "starter",
            "scopes": "bots:read,webhooks:write",
        },
    }


@pytest.mark.parametrize("route", [route for route in ROUTES if route.auth is Auth.ACCOUNT], ids=lambda r: str(r)[:70])
async def test_every_account_route_wants_its_scope(key_store: KeyStore, route: Any) -> None:
    tenant = await key_store.tenant()
    with_all, with_none = await key_store.key(tenant, scopes=frozenset({"*"})), await key_store.key(tenant)

    allowed = await asked(key_store, request(with_all.secret, route.method, route.path))
    denied = await asked(key_store, request(with_none.secret, route.method, route.path))

    assert (outcome(allowed), allowed["context"]["scopes"]) == ("allowed", "*")
    assert outcome(denied) == ("permission_denied" if route.scope else "allowed")


async def test_a_missing_scope_is_a_refusal_that_says_what_is_missing(key_store: KeyStore) -> None:
    key = await key_store.key(scopes=frozenset({"bots:read", "bots:write"}))

    policy = await asked(key_store, request(key.secret, "DELETE", "/api/v1/webhooks/{webhook_id}"))

    assert policy["principalId"] == key.record.key_id
    assert policy["context"] == {"refused": "403", "code": "permission_denied", "message": SCOPE_MISSING}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "https://app.example.com"}, "allowed"),
        ({"Referer": "https://app.example.com/settings"}, "allowed"),
        ({"origin": ["https://app.example.com", "https://evil.example"]}, "domain_not_allowed"),
        ({"origin": ["https://app.example.com", "https://app.example.com"]}, "domain_not_allowed"),
        ({"Origin": "http://app.example.com"}, "domain_not_allowed"),
        ({"Origin": "https://evil.example", "Referer": "https://app.example.com/"}, "domain_not_allowed"),
        ({"Origin": "null"}, "domain_not_allowed"),
        ({}, "domain_not_allowed"),
    ],
)
async def test_a_locked_key_works_from_its_domain_only(
    key_store: KeyStore, headers: dict[str, Any], expected: str
) -> None:
    key = await key_store.key(scopes=HOOKS, domains=frozenset({"app.example.com"}))

    policy = await asked(key_store, request(key.secret, **headers))

    assert outcome(policy) == expected
    if expected != "allowed":
        message = "This API key is locked to other domains."
        assert policy["context"] == {"refused": "403", "code": "domain_not_allowed", "message": message}


def absent(_key: NewKey) -> dict[str, Any]:
    return request()


def without_headers(key: NewKey) -> dict[str, Any]:
    return request(key.secret) | {"headers": None, "multiValueHeaders": None}


def garbled(key: NewKey) -> dict[str, Any]:
    return request(key.secret[:-1] + ("a" if key.secret[-1] != "a" else "b"))


def token_of_a_user(_key: NewKey) -> dict[str, Any]:
    return request("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")


def basic(key: NewKey) -> dict[str, Any]:
    return request(Authorization=f"Basic {key.secret}")


def two_keys(key: NewKey) -> dict[str, Any]:
    return request(key.secret, x_api_key=new_secret(Mode.LIVE))


def two_tokens(key: NewKey) -> dict[str, Any]:
    return request(Authorization=[f"Bearer {key.secret}", f"Bearer {new_secret(Mode.LIVE)}"])


def unknown(_key: NewKey) -> dict[str, Any]:
    return request(new_secret(Mode.LIVE))


NOBODY = [absent, without_headers, garbled, token_of_a_user, basic, two_keys, two_tokens, unknown]


@pytest.mark.parametrize("ask", NOBODY, ids=lambda ask: ask.__name__)
async def test_who_shows_no_key_that_works_is_refused(key_store: KeyStore, ask: Any) -> None:
    key, interleaved = await key_store.key(scopes=HOOKS), key_store.interleaved()

    with pytest.raises(ApiError) as refused:
        await authorize(ask(key), key_store.ring(OLD, dynamodb=interleaved), NOVEMBER)

    assert refused.value.status == 401
    assert key.secret not in refused.value.message
    assert sum(interleaved.sent.values()) == (1 if ask is unknown else 0)


async def test_the_header_of_the_key_may_be_the_other_one(key_store: KeyStore) -> None:
    key = await key_store.key(scopes=HOOKS)

    assert outcome(await asked(key_store, request(**{"X-Api-Key": key.secret}))) == "allowed"


async def test_a_key_ends_with_its_expiry(key_store: KeyStore) -> None:
    key = await key_store.key(scopes=HOOKS, expires=NOVEMBER + MINUTE)

    assert outcome(await asked(key_store, request(key.secret), NOVEMBER + MINUTE - 1)) == "allowed"
    assert (await refusal(key_store, request(key.secret), NOVEMBER + MINUTE))[0] == 401


async def test_a_revoked_key_is_refused_from_its_next_call_on(key_store: KeyStore) -> None:
    key, ring = await key_store.key(scopes=HOOKS), key_store.ring(OLD)
    assert outcome(await authorize(request(key.secret), ring, NOVEMBER)) == "allowed"

    await key_store.manager.revoke(key.record.tenant, key.record.key_id)

    with pytest.raises(ApiError) as refused:
        await authorize(request(key.secret), ring, NOVEMBER + SECOND)
    assert refused.value.status == 401


async def test_a_rotated_keys_old_secret_lives_for_ten_minutes_and_no_longer(key_store: KeyStore) -> None:
    key, ring = await key_store.key(scopes=HOOKS), key_store.ring(OLD)
    end = NOVEMBER + 10 * MINUTE

    new = await key_store.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=10, now=NOVEMBER)

    for secret in (key.secret, new.secret):
        policy = await authorize(request(secret), ring, end - 1)
        assert (outcome(policy), policy["context"]["key_id"]) == ("allowed", key.record.key_id)
    assert outcome(await authorize(request(new.secret), ring, end + SECOND)) == "allowed"
    with pytest.raises(ApiError) as refused:
        await authorize(request(key.secret), ring, end)
    assert refused.value.status == 401


async def test_a_key_above_its_rate_is_refused_with_retry_after(key_store: KeyStore) -> None:
    key, ring = await key_store.key(rpm=2, scopes=HOOKS), key_store.ring(OLD)
    assert outcome(await authorize(request(key.secret), ring, NOVEMBER)) == "allowed"

    for wait in ("30", "30", "15"):  # as the table says, as it is remembered, and later
        now = NOVEMBER + (15 * SECOND if wait == "15" else 0)
        policy = await authorize(request(key.secret), ring, now)
        assert (outcome(policy), policy["context"]["retry_after"]) == ("rate_limit_exceeded", wait)
    assert outcome(await authorize(request(key.secret), ring, NOVEMBER + 30 * SECOND)) == "allowed"


@pytest.mark.parametrize(
    ("policy", "headers", "code"),
    [
        ({"scopes": frozenset({"bots:read"})}, {}, "permission_denied"),
        ({}, {}, "permission_denied"),
        ({"scopes": HOOKS, "domains": frozenset({"a.example.com"})}, {}, "domain_not_allowed"),
        ({"scopes": HOOKS, "domains": frozenset({"a.example.com"})}, {"Origin": "https://b.com"}, "domain_not_allowed"),
    ],
)
async def test_being_above_the_rate_opens_nothing(
    key_store: KeyStore, policy: dict[str, Any], headers: dict[str, str], code: str
) -> None:
    key, ring = await key_store.key(rpm=1, **policy), key_store.ring(OLD)

    for _ in range(3):
        denied = await authorize(request(key.secret, **headers), ring, NOVEMBER)
        assert outcome(denied) == code


async def test_of_calls_at_once_no_more_pass_than_the_rate_allows(key_store: KeyStore) -> None:
    key = await key_store.key(rpm=30, scopes=HOOKS)  # five at once
    rings = [key_store.ring(OLD), key_store.ring(OLD)]

    calls = [authorize(request(key.secret), rings[number % 2], NOVEMBER) for number in range(12)]
    policies = await asyncio.gather(*calls)

    outcomes = [outcome(policy) for policy in policies]
    assert (outcomes.count("allowed"), outcomes.count("rate_limit_exceeded")) == (5, 7)


async def test_a_revocation_among_calls_lets_none_through_that_came_after_it(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(scopes=HOOKS), key_store.interleaved()
    interleaved.before("UpdateItem", lambda: key_store.manager.revoke(key.record.tenant, key.record.key_id))

    with pytest.raises(ApiError) as refused:
        await authorize(request(key.secret), key_store.ring(OLD, dynamodb=interleaved), NOVEMBER)

    assert refused.value.status == 401


async def test_a_key_under_an_older_pepper_is_let_through(key_store: KeyStore) -> None:
    key, ring = await key_store.key(scopes=HOOKS), key_store.ring(NEW, OLD)

    for second in range(3):
        assert outcome(await authorize(request(key.secret), ring, NOVEMBER + second * SECOND)) == "allowed"
    assert (await key_store.hot(key.secret, NEW))["kid"] == key.record.key_id


@pytest.mark.parametrize(("method", "resource"), [("GET", "/v1/models"), ("PATCH", "/api/v1/webhooks"), ("GET", "/")])
async def test_a_route_without_an_authorizer_is_a_defect_not_an_answer(
    key_store: KeyStore, method: str, resource: str
) -> None:
    key, interleaved = await key_store.key(scopes=frozenset({"*"})), key_store.interleaved()

    with pytest.raises(LookupError, match="has no authorizer"):
        await authorize(request(key.secret, method, resource), key_store.ring(OLD, dynamodb=interleaved), NOVEMBER)

    assert not interleaved.sent
