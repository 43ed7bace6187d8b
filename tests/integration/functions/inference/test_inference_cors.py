"""CORS from the domain locks: browsers may call from locked sites, and from nowhere else."""

import httpx2
import pytest

from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, HELLO, chat, refused

ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}


async def preflight(client: httpx2.AsyncClient, origin: str | None, path: str = CHAT) -> httpx2.Response:
    return await client.options(path, headers={**ASKING, **({"Origin": origin} if origin is not None else {})})


@pytest.mark.parametrize(
    ("lock", "origin"),
    [
        ("exact.example.com", "https://exact.example.com"),
        ("exact-port.example.com", "https://exact-port.example.com:3000"),
        ("exact-case.example.com", "https://EXACT-CASE.example.com"),
        ("*.wild.example.com", "https://a.wild.example.com"),
        ("*.deep.example.com", "https://a.b.c.deep.example.com"),
        ("localhost", "http://localhost:5173"),
        ("localhost", "https://localhost"),
        ("http://plain.example.com", "http://plain.example.com"),
        ("https://*.named.example.com", "https://a.named.example.com"),
    ],
)
async def test_a_preflight_from_a_locked_site_is_allowed(
    client: httpx2.AsyncClient, accounts: Accounts, lock: str, origin: str
) -> None:
    await accounts.account(domains=frozenset({lock}))

    response = await preflight(client, origin)

    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == origin
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] == "authorization, content-type"
    assert int(response.headers["access-control-max-age"]) > 0
    assert response.headers["vary"] == "Origin, Access-Control-Request-Headers"
    assert "access-control-allow-credentials" not in response.headers
    assert response.content == b""


@pytest.mark.parametrize(
    "origin",
    [
        "https://foreign.example",
        "http://exact2.example.com",
        "http://a.wild2.example.com",
        "capacitor://exact2.example.com",
        "https://wild2.example.com",
        "https://xexact2.example.com",
        "https://exact2.example.com.evil.example",
        "null",
        "",
        None,
        "not an origin",
        "https://[exact2.example.com",
        "https://" + "a" * 3000 + ".wild2.example.com",
        "https://" + "a." * 500 + "wild2.example.com",
        "https://*.wild2.example.com",
        "https://*",
    ],
)
async def test_a_preflight_from_elsewhere_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, origin: str | None
) -> None:
    await accounts.account(domains=frozenset({"exact2.example.com", "*.wild2.example.com"}))

    response = await preflight(client, origin)

    refused(response, 403, "domain_not_allowed")
    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"]


async def test_several_origins_are_refused(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    """No browser sends two, and a proxy may read the other one."""
    account = await accounts.account(domains=frozenset({"twice.example.com"}))
    twice = [("Origin", "https://twice.example.com")] * 2

    asked = await client.options(CHAT, headers=[*ASKING.items(), *twice])
    called = await client.post(CHAT, json=HELLO, headers=[*account.headers.items(), *twice])

    for response in (asked, called):
        refused(response, 403, "domain_not_allowed")
        assert "access-control-allow-origin" not in response.headers


async def test_a_key_for_any_domain_opens_no_preflight(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    await accounts.account()

    refused(await preflight(client, "https://anywhere.example"), 403, "domain_not_allowed")


async def test_a_revoked_keys_site_is_not_allowed(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(domains=frozenset({"gone.example.com"}))
    await accounts.keys.revoke(account.tenant, account.key_id)

    refused(await preflight(client, "https://gone.example.com"), 403, "domain_not_allowed")


async def test_a_site_stays_allowed_while_one_of_its_keys_lives(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    first = await accounts.account(domains=frozenset({"shared.example.com"}))
    await accounts.account(domains=frozenset({"shared.example.com"}))
    await accounts.keys.revoke(first.tenant, first.key_id)

    assert (await preflight(client, "https://shared.example.com")).status_code == 204


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/lab/with/slashes", "/v1/generation", "/v1/chat/completions"]
)
async def test_preflights_are_answered_on_every_path(client: httpx2.AsyncClient, accounts: Accounts, path: str) -> None:
    await accounts.account(domains=frozenset({"paths.example.com"}))

    assert (await preflight(client, "https://paths.example.com", path)).status_code == 204


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_may_be_read_by_the_site_that_asked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account(domains=frozenset({"*.answers.example.com"}))
    origin = "https://a.answers.example.com:8443"

    headers = (await chat(client, account, {"Origin": origin}, stream=streamed)).headers

    assert headers["access-control-allow-origin"] == origin
    assert headers["vary"] == "Origin"
    exposed = headers["access-control-expose-headers"].split(", ")
    assert {"X-Request-Id", "X-Generation-Id", "Retry-After", "X-RateLimit-Remaining"} <= set(exposed)
    assert "access-control-allow-credentials" not in headers


async def test_an_error_after_admission_may_be_read_too(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(domains=frozenset({"errors.example.com"}))
    origin = {"Origin": "https://errors.example.com"}

    response = await chat(client, account, origin, max_tokens=-1)

    refused(response, 400, "invalid_request_error")
    assert response.headers["access-control-allow-origin"] == origin["Origin"]


async def test_a_refusal_of_the_key_may_be_read_too(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    """A page must learn that it is too fast, or out of credits, and when to come back."""
    origin = {"Origin": "https://refusals.example.com"}
    locks = frozenset({"refusals.example.com"})
    limited, poor = await accounts.account(domains=locks, rpm=6), await accounts.account(domains=locks, budget=1)
    revoked = await accounts.account(domains=locks)
    await accounts.keys.revoke(revoked.tenant, revoked.key_id)
    await chat(client, limited, origin)

    refusals = [await chat(client, account, origin) for account in (limited, limited, poor, revoked)]

    assert [response.status_code for response in refusals] == [429, 429, 402, 401]
    for response in refusals:
        assert response.headers["access-control-allow-origin"] == origin["Origin"]


async def test_an_answer_for_another_site_may_not_be_read(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(domains=frozenset({"mine.example.com"}))

    response = await chat(client, account, {"Origin": "https://foreign.example"})

    refused(response, 403, "domain_not_allowed")
    assert "access-control-allow-origin" not in response.headers


async def test_without_an_origin_there_are_no_cors_headers(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    headers = (await chat(client, account)).headers

    assert not [name for name in headers if name.startswith("access-control")]


async def test_the_public_catalog_may_be_read_from_anywhere(client: httpx2.AsyncClient) -> None:
    response = await client.get("/api/v1/models", headers={"Origin": "https://foreign.example"})

    assert response.headers.get_list("access-control-allow-origin") == ["*"]


async def test_an_answer_is_remembered_for_a_minute(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    """A site that a key names only afterwards has to wait for as long."""
    refused(await preflight(client, "https://later.example.com"), 403, "domain_not_allowed")
    await accounts.account(domains=frozenset({"later.example.com"}))

    refused(await preflight(client, "https://later.example.com"), 403, "domain_not_allowed")
