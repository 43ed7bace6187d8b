"""Sign-in with Google, with a server that has Google's keys and google-auth as the oracle."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.auth import exceptions
from google.auth import jwt as google_jwt
from jwt.algorithms import RSAAlgorithm

from callmissed.aws.secrets import account_environment
from callmissed.clock import SECOND
from callmissed.errors import ApiError
from callmissed.http.client import SafeClient
from callmissed.platform.tables import TENANTS
from callmissed.tenants.users import address_key, user_key
from functions.auth.sign_in.google_tokens import GoogleKeys, GoogleTokens
from local.aws.tables import StageTables
from tests.support.sign_in import PASSWORD, SettableClock, SignInPages, body_of, new_address, settings_of
from tests.support.whole_product import WholeProduct

OURS, APP = "web.apps.googleusercontent.com", "app.apps.googleusercontent.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = SettableClock().now // SECOND


@dataclass
class Google:
    """Serves the keys of ID tokens."""

    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=lambda: {"one": KEY})
    headers: Mapping[str, str] = field(default_factory=lambda: {"Cache-Control": "public, max-age=600", "Age": "100"})
    asked: int = 0
    status: int = 200

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        keys = [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": "RS256"}
            for name, key in self.keys.items()
        ]
        return web.json_response({"keys": keys}, status=self.status, headers=self.headers)


@pytest_asyncio.fixture(scope="module")
async def google() -> AsyncIterator[tuple[Google, str]]:
    served, app = Google(), web.Application()
    app.router.add_get("/certs", served.answer)
    async with TestServer(app) as server:
        yield served, str(server.make_url("/certs"))


@pytest_asyncio.fixture(scope="module")
async def pages(module_tables: StageTables, google: tuple[Google, str]) -> AsyncIterator[SignInPages]:
    clock = SettableClock()
    settings = settings_of(
        module_tables, google_client_ids=OURS, google_certificates_url=google[1], terms_url="https://example.com/terms"
    )
    product = WholeProduct(settings, clock)
    yield SignInPages(product, clock)
    await product.close()


def claims_of(address: str, **changes: Any) -> dict[str, Any]:
    claims = {
        "iss": "https://accounts.google.com",
        "aud": OURS,
        "azp": OURS,
        "sub": "1234567890",
        "email": address,
        "email_verified": True,
        "name": "Ada Lovelace",
        "iat": NOW,
        "exp": NOW + 3600,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def token_of(address: str, key: rsa.RSAPrivateKey = KEY, key_id: str = "one", **changes: Any) -> str:
    return jwt.encode(claims_of(address, **changes), key, "RS256", headers={"kid": key_id})


async def test_first_sign_in_creates_the_account_with_the_terms_accepted(pages: SignInPages) -> None:
    email = new_address()
    form = {"credential": token_of(email)}

    refused = await pages.post("google", form)
    created = body_of(await pages.post("google", {**form, "accept_terms": True}))
    again = body_of(await pages.post("google", {"id_token": token_of(email)}))

    assert (refused.status, refused.error["details"][0]["loc"]) == (422, ["body", "accept_terms"])
    assert (created["is_new_user"], again["is_new_user"]) == (True, False)
    assert b'"full_name":"Ada Lovelace"' in (await pages.me(again)).body
    assert (await pages.login(email)).status == 401


async def test_two_first_sign_ins_at_once_make_one_account(pages: SignInPages) -> None:
    email = new_address()
    form = {"id_token": token_of(email), "accept_terms": True}

    replies = await asyncio.gather(*(pages.post("google", form) for _ in range(4)))

    found = [body_of(reply) for reply in replies]
    assert [tokens["is_new_user"] for tokens in found].count(True) == 1
    assert len({(await pages.me(tokens)).body for tokens in found}) == 1


async def test_confirmed_account_is_linked_with_its_password(pages: SignInPages) -> None:
    email = new_address()
    earlier = await account(pages, email)

    linked = body_of(await pages.post("google", {"id_token": token_of(email.upper())}))

    assert [(await pages.me(tokens)).status for tokens in (earlier, linked)] == [200, 200]
    assert (await pages.login(email)).status == 200


async def test_password_and_sessions_of_an_unconfirmed_account_die_with_the_link(pages: SignInPages) -> None:
    email = new_address()
    earlier = await account(pages, email)
    address = await pages.database.get(TENANTS, address_key(email))
    await pages.database.update_if(TENANTS, user_key(address["owner"], address["user_id"]), set={"confirmed": False})

    linked = body_of(await pages.post("google", {"id_token": token_of(email)}))

    assert (await pages.me(linked)).status == 200
    assert ((await pages.me(earlier)).status, (await pages.login(email)).status) == (401, 401)
    assert "google.link" in [action for action, _ in await pages.actions(address["owner"])]


async def test_deactivated_person_is_refused_and_the_audit_log_says_so(pages: SignInPages) -> None:
    email = new_address()
    await account(pages, email)
    address = await pages.database.get(TENANTS, address_key(email))
    await pages.database.update_if(TENANTS, user_key(address["owner"], address["user_id"]), set={"is_active": False})

    refused = await pages.post("google", {"id_token": token_of(email)})

    assert (refused.status, refused.error["code"]) == (403, "account_deactivated")
    rows = await pages.actions(address["owner"])
    assert ("session.refuse", {"method": "google", "reason": "account_deactivated"}) in rows


async def test_what_was_registered_with_the_address_dies_too(pages: SignInPages) -> None:
    email = new_address()
    await pages.registered(email, accept_terms=True)
    code = pages.code()

    body_of(await pages.post("google", {"id_token": token_of(email), "accept_terms": True}))

    assert (await pages.post("register/verify", {"email": email, "code": code})).status == 400
    assert (await pages.login(email, PASSWORD)).status == 401


async def account(pages: SignInPages, email: str) -> dict[str, Any]:
    await pages.registered(email, accept_terms=True)
    return body_of(await pages.post("register/verify", {"email": email, "code": pages.code()}))


BAD: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER},
    "unknown key": {"key_id": "two"},
    "another audience": {"aud": "somebody.else"},
    "list of audiences": {"aud": [OURS, "somebody.else"]},
    "another issuer": {"iss": "https://accounts.example.com"},
    "expired": {"exp": NOW - 11},
    "issued later": {"iat": NOW + 11},
    "address not verified": {"email_verified": False},
    "address verified in words": {"email_verified": "true"},
    "no address": {"email": None},
    "no time": {"exp": None},
}


@pytest_asyncio.fixture
async def tokens(google: tuple[Google, str]) -> AsyncIterator[GoogleTokens]:
    client = SafeClient(allow_loopback=True)
    yield GoogleTokens(GoogleKeys(client, google[1]), {OURS, APP})
    await client.close()


@pytest.mark.parametrize("case", BAD)
async def test_token_that_is_not_good_here_is_refused(tokens: GoogleTokens, case: str) -> None:
    with pytest.raises(ApiError) as refused:
        await tokens.verify(token_of("ada@example.com", **BAD[case]), SettableClock().now)
    assert (refused.value.status, refused.value.code) == (401, "invalid_credentials")


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
async def test_token_of_another_algorithm_is_refused(tokens: GoogleTokens, algorithm: str) -> None:
    secret = None if algorithm == "none" else "k" * 32
    token = jwt.encode(claims_of("ada@example.com"), secret, algorithm, headers={"kid": "one"})  # pyright: ignore[reportArgumentType]  none takes no key
    with pytest.raises(ApiError):
        await tokens.verify(token, SettableClock().now)


@pytest.mark.parametrize("skew", [-11, -9, 0, 3609, 3611])
async def test_times_are_checked_as_google_auth_does(
    tokens: GoogleTokens, monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    token, moment = token_of("ada@example.com"), NOW + skew
    clock = SettableClock()
    clock.pass_seconds(skew)
    monkeypatch.setattr("google.auth._helpers.utcnow", lambda: datetime.datetime.fromtimestamp(moment, datetime.UTC))
    public = KEY.public_key()

    async def ours() -> bool:
        try:
            await tokens.verify(token, clock.now)
        except ApiError:
            return False
        return True

    assert await ours() == accepted_by_google_auth(token, public)


def accepted_by_google_auth(token: str, public: rsa.RSAPublicKey) -> bool:
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        google_jwt.decode(token, certs={"one": pem}, audience=OURS, clock_skew_in_seconds=10)
    except (exceptions.GoogleAuthError, ValueError):
        return False
    return True


async def test_keys_are_read_as_often_as_their_headers_say(google: tuple[Google, str], tokens: GoogleTokens) -> None:
    served, clock = google[0], SettableClock()
    served.asked = 0
    for seconds in (0, 1, 498, 2):  # fresh for max-age less the answer's age: 500 s
        clock.pass_seconds(seconds)
        await tokens.verify(token_of("ada@example.com"), clock.now)
    assert served.asked == 2


async def test_unknown_keys_are_asked_for_once_a_minute(google: tuple[Google, str], tokens: GoogleTokens) -> None:
    served, clock = google[0], SettableClock()
    served.asked = 0
    for _ in range(5):
        with pytest.raises(ApiError):
            await tokens.verify(token_of("ada@example.com", key_id="new"), clock.now)
    served.keys["new"] = KEY
    clock.pass_seconds(61)

    assert (await tokens.verify(token_of("ada@example.com", key_id="new"), clock.now)).email == "ada@example.com"
    assert served.asked == 2


async def test_google_that_fails_is_503(google: tuple[Google, str], tokens: GoogleTokens) -> None:
    google[0].status = 500
    try:
        with pytest.raises(ApiError) as refused:
            await tokens.verify(token_of("ada@example.com"), SettableClock().now)
    finally:
        google[0].status = 200
    assert refused.value.status == 503


async def test_sign_in_is_503_where_google_is_not_configured() -> None:
    keys = GoogleKeys(SafeClient(), "https://127.0.0.1:1/never-asked")
    with pytest.raises(ApiError) as refused:
        await asyncio.wait_for(GoogleTokens(keys, ()).verify(token_of("ada@example.com"), SettableClock().now), 1)
    assert refused.value.status == 503


async def test_apps_need_no_captcha_and_pages_do(
    module_tables: StageTables, google: tuple[Google, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNSTILE_SECRET_KEY", "the site's secret")
    settings = settings_of(
        module_tables,
        google_client_ids=OURS,
        google_native_client_ids=APP,
        google_certificates_url=google[1],
        captcha="turnstile",
    )
    account_environment.cache_clear()
    product = WholeProduct(settings, SettableClock())
    pages = SignInPages(product, SettableClock())

    by_page = await pages.post("google", {"id_token": token_of(new_address())})
    by_app = await pages.post("google", {"id_token": token_of(new_address(), aud=APP)})

    await product.close()
    assert (by_page.error["code"], by_app.status) == ("captcha_failed", 200)
