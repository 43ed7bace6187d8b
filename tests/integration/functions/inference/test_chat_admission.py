"""Who may call: keys, their headers, their locks and permissions. A refused call holds and charges nothing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.clock import MINUTE, system_clock
from callmissed.keys.secret import Mode, new_secret
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, HELLO, chat, refused

APP = "https://app.example.com"


@pytest_asyncio.fixture(scope="module")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


@pytest_asyncio.fixture(scope="module")
async def locked(accounts: Accounts) -> Account:
    return await accounts.account(domains=frozenset({"app.example.com", "*.example.org"}), budget=10**9)


@pytest_asyncio.fixture(autouse=True)
async def an_untouched_upstream(upstream: FakeUpstream) -> AsyncIterator[None]:
    yield
    assert all(received.path == "/lab/v1/chat/completions" for received in upstream.requests)


def key_headers(secret: str, other: str) -> dict[str, list[tuple[str, str]]]:
    """Ways to show no key, a broken one, or two."""
    return {
        "none": [],
        "empty": [("Authorization", "")],
        "no token": [("Authorization", "Bearer")],
        "no scheme": [("Authorization", secret)],
        "another scheme": [("Authorization", f"Basic {secret}")],
        "garbage": [("Authorization", "Bearer sk-1234567890")],
        "a JWT": [("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln")],
        "too long": [("Authorization", f"Bearer {secret}x")],
        "too short": [("Authorization", f"Bearer {secret[:-1]}")],
        "a wrong letter": [("Authorization", f"Bearer {secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}")],
        "another case": [("Authorization", f"Bearer {secret.upper()}")],
        "the other mode": [("Authorization", f"Bearer {secret.replace('cm_live_', 'cm_test_')}")],
        "never created": [("Authorization", f"Bearer {new_secret(Mode.LIVE)}")],
        "never created, for tests": [("x-api-key", new_secret(Mode.TEST))],
        "two bearers": [("Authorization", f"Bearer {secret}"), ("Authorization", f"Bearer {other}")],
        "bearer and key": [("Authorization", f"Bearer {secret}"), ("x-api-key", other)],
        "two keys": [("x-api-key", secret), ("x-api-key", other)],
        "bearer and basic": [("Authorization", f"Bearer {secret}"), ("Authorization", "Basic YTpi")],
        "joined by a comma": [("Authorization", f"Bearer {secret}, Bearer {secret}")],
        "letters beyond ASCII": [("Authorization", f"Bearer {secret[:-1]}é")],
    }


@pytest.mark.parametrize("way", key_headers("cm_live_", "cm_live_"))
async def test_a_missing_or_malformed_key_is_401(
    client: httpx2.AsyncClient, accounts: Accounts, account: Account, upstream: FakeUpstream, way: str
) -> None:
    other = await accounts.key(account.tenant)
    shown = key_headers(account.secret, other.secret)[way]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in shown]

    response = await client.post(CHAT, json=HELLO, headers=headers)

    error = refused(response, 401, "invalid_api_key", type="invalid_request_error")
    assert response.headers["www-authenticate"] == "Bearer"
    assert account.secret not in error["message"]
    assert upstream.requests == []
    await accounts.assert_untouched(account)


@pytest.mark.parametrize(
    "shown",
    [
        [("Authorization", "Bearer {}")],
        [("authorization", "bearer {}")],
        [("Authorization", "Bearer   {}")],
        [("x-api-key", "{}")],
        [("Authorization", "Bearer {}"), ("x-api-key", "{}")],
        [("Authorization", "Bearer {}"), ("Authorization", "Bearer {}")],
    ],
)
async def test_one_key_may_be_shown_in_any_way(
    client: httpx2.AsyncClient, accounts: Accounts, shown: list[tuple[str, str]]
) -> None:
    account = await accounts.account()
    headers = [(name, value.format(account.secret)) for name, value in shown]

    response = await client.post(CHAT, json=HELLO, headers=headers)

    assert response.status_code == 200, response.text
    assert await accounts.assert_balanced(account) > 0


async def test_a_revoked_key_is_refused_on_the_very_next_call(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    assert (await chat(client, account)).status_code == 200
    before = await accounts.wallet(account.tenant)

    await accounts.keys.revoke(account.tenant, account.key_id)

    refused(await chat(client, account), 401, "invalid_api_key")
    assert await accounts.wallet(account.tenant) == before


async def test_an_expired_key_is_refused(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    hour_ago = system_clock() - 60 * MINUTE
    expired = await accounts.key(account.tenant, now=hour_ago, expires=hour_ago + MINUTE)

    response = await client.post(CHAT, json=HELLO, headers={"x-api-key": expired.secret})

    refused(response, 401, "invalid_api_key")
    await accounts.assert_untouched(account)


async def test_after_a_rotation_without_overlap_only_the_new_secret_works(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    account = await accounts.account()
    fresh = await accounts.keys.rotate(account.tenant, account.key_id, overlap_minutes=0, now=system_clock())

    refused(await chat(client, account), 401, "invalid_api_key")
    response = await client.post(CHAT, json=HELLO, headers={"x-api-key": fresh.secret})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": APP},
        {"Origin": "https://app.example.com:8443"},
        {"Origin": "HTTPS://APP.EXAMPLE.COM"},
        {"Origin": "https://app.example.com."},
        {"Origin": "https://a.example.org"},
        {"Origin": "https://a.b.example.org"},
        {"Referer": "https://app.example.com/page?x=1"},
        {"Origin": APP, "Referer": "https://evil.example"},
    ],
)
async def test_a_locked_key_works_from_its_domains(
    client: httpx2.AsyncClient, locked: Account, headers: dict[str, str]
) -> None:
    assert (await chat(client, locked, headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://example.com"},
        {"Origin": "https://example.org"},
        {"Origin": "https://xapp.example.com"},
        {"Origin": "https://app.example.com.evil.example"},
        {"Origin": "https://evil.example/app.example.com"},
        {"Origin": "https://app.example.com@evil.example"},
        {"Origin": "https://evil.example", "Referer": APP},
        {"Origin": "null"},
        {"Origin": "null", "Referer": APP},
        {"Origin": "app.example.com"},
        {"Origin": "https://[app.example.com"},
        {"Origin": "https://" + "a." * 2000 + "example.org"},
        {"Referer": "https://evil.example/https://app.example.com"},
        {"Referer": "not a url"},
        {"Host": "app.example.com"},
    ],
)
async def test_a_locked_key_is_refused_elsewhere(
    client: httpx2.AsyncClient, accounts: Accounts, locked: Account, upstream: FakeUpstream, headers: dict[str, str]
) -> None:
    wallet, key = await accounts.wallet(locked.tenant), await accounts.key_item(locked.secret)

    refused(await chat(client, locked, headers), 403, "domain_not_allowed", type="permission_error")

    assert await accounts.wallet(locked.tenant) == wallet
    assert (await accounts.key_item(locked.secret))["kb"] == key["kb"]
    assert upstream.requests == []


@pytest.mark.parametrize("permissions", [{"stt"}, {"stt", "tts", "search", "image"}])
async def test_a_key_without_the_permission_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, permissions: set[str]
) -> None:
    account = await accounts.account(permissions=frozenset(permissions), budget=10**9)

    refused(await chat(client, account), 403, "permission_denied", type="permission_error")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9
    assert upstream.requests == []


async def test_a_key_with_the_permission_may_call(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(permissions=frozenset({"llm"}))

    assert (await chat(client, account)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/lab-chat"])
async def test_any_active_key_may_list_models(client: httpx2.AsyncClient, accounts: Accounts, path: str) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}))

    assert (await client.get(path, headers=account.headers)).status_code == 200
    refused(await client.get(path), 401, "invalid_api_key")


@pytest.mark.parametrize("fields", [{}, {"model": "lab-free", "models": ["lab-chat"]}])
async def test_a_model_outside_the_keys_list_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, fields: dict[str, Any]
) -> None:
    account = await accounts.account(models=frozenset({"lab-free"}), budget=10**9)

    refused(await chat(client, account, **fields), 403, "model_not_allowed", param="model")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9
    assert upstream.requests == []
    assert (await chat(client, account, model="lab-free")).status_code == 200


async def test_a_second_pepper_still_admits_keys_of_the_first(accounts: Accounts, second_pepper_url: str) -> None:
    account = await accounts.account()

    async with httpx2.AsyncClient(base_url=second_pepper_url, trust_env=False) as client:
        response = await chat(client, account)
        stranger = await client.post(CHAT, json=HELLO, headers={"x-api-key": new_secret(Mode.LIVE)})

    assert response.status_code == 200
    assert await accounts.assert_balanced(account) > 0
    refused(stranger, 401, "invalid_api_key")


async def test_a_key_revoked_under_the_first_pepper_is_not_admitted_by_the_second(
    accounts: Accounts, second_pepper_url: str
) -> None:
    account = await accounts.account()
    await accounts.keys.revoke(account.tenant, account.key_id)

    async with httpx2.AsyncClient(base_url=second_pepper_url, trust_env=False) as client:
        refused(await chat(client, account), 401, "invalid_api_key")
    await accounts.assert_untouched(account)
