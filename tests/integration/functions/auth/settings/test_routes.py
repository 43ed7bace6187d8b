"""Accounts at other providers: saved, shown masked, verified at the provider, audited without secrets."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from callmissed.http.client import SafeClient
from callmissed.integrations import verification
from callmissed.integrations.credentials import (
    Credentials,
    SarvamCredentials,
    TwilioCredentials,
    WhatsAppCredentials,
)
from callmissed.integrations.repository import Integrations
from callmissed.integrations.verification import ProviderUrls, Verifier
from callmissed.platform.routes import Role
from callmissed.platform.tables import AUDIT
from callmissed.sealing import Sealer
from functions.auth.settings.service import CredentialCheck, IntegrationSettings
from tests.support.people import BROWSER, SignedIn, new_member, new_tenant
from tests.support.whole_product import WholeProduct

PATH = "/api/v1/settings"
WHATSAPP = {"phone_number_id": "1066", "access_token": "EAAG-token", "verify_token": "blue-kettle"}
TWILIO = {"account_sid": "AC0123", "auth_token": "0123456789abcdef", "phone_number": "+14155550100"}
SARVAM = {"api_key": "sk_sarvam"}


async def get(owner: SignedIn, provider: str) -> dict[str, Any]:
    reply = await owner.call("GET", f"{PATH}/{provider}")
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


async def put(owner: SignedIn, provider: str, body: object) -> dict[str, Any]:
    reply = await owner.call("PUT", f"{PATH}/{provider}", body)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


async def test_nothing_is_configured_at_first(owner: SignedIn) -> None:
    base = (await get(owner, "whatsapp"))["webhook_url"].removesuffix("/api/v1/webhooks/whatsapp")
    assert base.startswith("https://")
    assert await get(owner, "whatsapp") == {
        "configured": False,
        "phone_number_id": None,
        "access_token": None,
        "verify_token": None,
        "app_secret": None,
        "webhook_url": f"{base}/api/v1/webhooks/whatsapp",
    }
    assert await get(owner, "twilio") == {
        "configured": False,
        "account_sid": None,
        "auth_token": None,
        "phone_number": None,
        "voice_webhook_url": f"{base}/api/v1/webhooks/twilio/voice",
    }
    assert await get(owner, "sarvam") == {"configured": False, "api_key": None}
    for provider in ("whatsapp", "twilio", "sarvam"):
        verified = await owner.call("POST", f"{PATH}/{provider}/verify")
        assert (verified.status, json.loads(verified.body)) == (200, {"status": "not_configured", "error": None})


async def test_saved_credentials_are_shown_masked_to_every_member(owner: SignedIn) -> None:
    numbered = {"phone_number_id": owner.tenant}
    assert await put(owner, "whatsapp", WHATSAPP | numbered) == {"detail": "WhatsApp settings saved"}
    assert await put(owner, "twilio", TWILIO | {"account_sid": owner.tenant}) == {"detail": "Twilio settings saved"}
    assert await put(owner, "sarvam", {"api_key": " 12345678\n"}) == {"detail": "Sarvam settings saved"}
    agent = await new_member(owner, Role.AGENT)

    shown = await get(agent, "whatsapp")
    assert shown == {
        "configured": True,
        **numbered,
        "access_token": "EAAG••••••••oken",
        "verify_token": "blue••••••••ttle",
        "app_secret": None,
        "webhook_url": shown["webhook_url"],
    }
    shown = await get(agent, "twilio")
    assert (shown["account_sid"], shown["auth_token"]) == (owner.tenant, "0123••••••••cdef")
    assert (shown["phone_number"], shown["configured"]) == ("+14155550100", True)
    assert await get(agent, "sarvam") == {"configured": True, "api_key": "••••••••"}


async def test_saving_replaces_the_whole_set(owner: SignedIn) -> None:
    own = WHATSAPP | {"phone_number_id": owner.tenant}
    await put(owner, "whatsapp", own | {"app_secret": "a-secret-of-meta"})
    await put(owner, "whatsapp", own)

    assert (await get(owner, "whatsapp"))["app_secret"] is None


async def test_two_tenants_cannot_take_one_account(owner: SignedIn, product: WholeProduct) -> None:
    other = await new_tenant(product)
    for provider, body in (("whatsapp", WHATSAPP), ("twilio", TWILIO)):
        await put(owner, provider, body)
        refused = await other.call("PUT", f"{PATH}/{provider}", body)
        assert (refused.status, refused.error["code"]) == (409, "conflict")
        assert not (await get(other, provider))["configured"]
    for tenant in (owner, other):
        await put(tenant, "sarvam", SARVAM)


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("whatsapp", WHATSAPP | {"phone_number_id": ""}),
        ("whatsapp", WHATSAPP | {"access_token": "x" * 1025}),
        ("whatsapp", WHATSAPP | {"app_secret": "x" * 256}),
        ("whatsapp", WHATSAPP | {"allow_unsigned": True}),
        ("twilio", TWILIO | {"phone_number": "4155550100"}),
        ("twilio", TWILIO | {"phone_number": "+1415555\u0660\u0661\u0660\u0660"}),
        ("twilio", TWILIO | {"auth_token": ""}),
        ("sarvam", {"api_key": "x" * 256}),
        ("sarvam", {"api_key": " "}),
        ("sarvam", {}),
    ],
)
async def test_bad_credentials_are_unprocessable_and_not_repeated(owner: SignedIn, provider: str, body: object) -> None:
    refused = await owner.call("PUT", f"{PATH}/{provider}", body)

    assert refused.status == 422
    assert b"EAAG-token" not in refused.body
    assert not (await get(owner, provider))["configured"]


async def test_changes_are_audited_without_secrets(owner: SignedIn, product: WholeProduct) -> None:
    await put(owner, "twilio", TWILIO | {"account_sid": owner.tenant})
    await put(owner, "twilio", TWILIO | {"account_sid": owner.tenant, "phone_number": "+14155550199"})

    events = [item async for item in product.database.query(AUDIT, owner.tenant)]

    public = {"account_sid": owner.tenant, "phone_number": "+14155550100"}
    assert [(event["action"], event["resource_id"], event["actor_id"]) for event in events] == [
        ("settings.update", "twilio", owner.user.user_id)
    ] * 2
    assert [event["metadata"] for event in events] == [
        {"before": None, "after": public},
        {"before": public, "after": public | {"phone_number": "+14155550199"}},
    ]
    assert "0123456789abcdef" not in str(events)


class Provider:
    """A provider's API on this machine: answers as the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"{}", list[web.Request]()

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.asked.append(request)
        return web.Response(status=self.status, body=self.body)


@pytest_asyncio.fixture
async def provider() -> Provider:
    return Provider()


@pytest_asyncio.fixture
async def settings(provider: Provider, product: WholeProduct) -> AsyncIterator[IntegrationSettings]:
    """The settings of `product`, with every provider's API at `provider`."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", provider.answer)
    client = SafeClient(allow_loopback=True)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        verifier = Verifier(client, ProviderUrls(f"{url}/v24.0", url, url))
        yield IntegrationSettings(Integrations(product.database), Sealer((bytes(32),)), verifier)
        await client.close()


def credentials_of(kind: type[Credentials], account: str) -> Credentials:
    if kind is WhatsAppCredentials:
        return WhatsAppCredentials.model_validate(WHATSAPP | {"phone_number_id": account})
    if kind is TwilioCredentials:
        return TwilioCredentials.model_validate(TWILIO | {"account_sid": account})
    return SarvamCredentials(api_key="sk_sarvam")


async def verified(
    settings: IntegrationSettings, owner: SignedIn, kind: type[Credentials], account: str = ""
) -> CredentialCheck:
    credentials = credentials_of(kind, account or owner.tenant)
    await settings.save(owner.tenant, credentials, BROWSER, owner.product.clock())
    return await settings.verify(owner.tenant, kind)


async def test_whatsapp_is_verified_by_a_read_of_the_number(
    settings: IntegrationSettings, provider: Provider, owner: SignedIn
) -> None:
    provider.body = json.dumps({"id": owner.tenant}).encode()

    assert await verified(settings, owner, WhatsAppCredentials) == CredentialCheck("connected")

    (asked,) = provider.asked
    assert (asked.method, asked.path_qs) == ("GET", f"/v24.0/{owner.tenant}?fields=id")
    assert asked.headers["Authorization"] == "Bearer EAAG-token"


async def test_twilio_is_verified_by_a_fetch_of_the_account(
    settings: IntegrationSettings, provider: Provider, owner: SignedIn
) -> None:
    provider.body = json.dumps({"sid": owner.tenant, "status": "active"}).encode()

    assert await verified(settings, owner, TwilioCredentials) == CredentialCheck("connected")

    (asked,) = provider.asked
    assert (asked.method, asked.path) == ("GET", f"/2010-04-01/Accounts/{owner.tenant}.json")
    assert asked.headers["Authorization"].startswith("Basic ")

    provider.body = json.dumps({"sid": owner.tenant, "status": "suspended"}).encode()
    assert (await settings.verify(owner.tenant, TwilioCredentials)).error == "The Twilio account is not active."


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, CredentialCheck("connected")),
        (400, CredentialCheck("connected")),
        (405, CredentialCheck("connected")),
        (422, CredentialCheck("connected")),
        (401, CredentialCheck("error", "Invalid API key")),
        (403, CredentialCheck("error", "Invalid API key")),
        (500, CredentialCheck("error", "Sarvam does not answer as expected (HTTP 500).")),
    ],
)
async def test_sarvam_is_verified_by_an_empty_request(
    settings: IntegrationSettings, provider: Provider, owner: SignedIn, status: int, expected: CredentialCheck
) -> None:
    provider.status = status

    assert await verified(settings, owner, SarvamCredentials) == expected
    assert provider.asked[0].headers["api-subscription-key"] == "sk_sarvam"


@pytest.mark.parametrize("kind", [WhatsAppCredentials, TwilioCredentials])
@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b"{}"), (403, b"{}"), (404, b"{}"), (200, b"{}"), (200, b"[]"), (200, b"<html>"), (302, b"")],
)
async def test_refusals_are_errors_in_our_words(
    settings: IntegrationSettings,
    provider: Provider,
    owner: SignedIn,
    kind: type[Credentials],
    status: int,
    body: bytes,
) -> None:
    provider.status, provider.body = status, body + b"  words of the provider"

    outcome = await verified(settings, owner, kind)

    assert outcome.status == "error"
    assert outcome.error
    assert "words of the provider" not in outcome.error


async def test_an_account_that_is_a_path_stays_one_segment(
    settings: IntegrationSettings, provider: Provider, owner: SignedIn
) -> None:
    outcome = await verified(settings, owner, WhatsAppCredentials, f"../me?x=#{owner.tenant}/messages")

    assert outcome.status == "error"
    assert provider.asked[0].raw_path == f"/v24.0/..%2Fme%3Fx%3D%23{owner.tenant}%2Fmessages?fields=id"


async def test_a_provider_that_is_silent_is_an_error(
    settings: IntegrationSettings, owner: SignedIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "TIMEOUT_SECONDS", 0)

    assert await verified(settings, owner, SarvamCredentials) == CredentialCheck(
        "error", "The endpoint did not answer in time."
    )
    assert verification.TIMEOUT_SECONDS == 0


async def test_credentials_that_cannot_be_unsealed_are_an_error(
    settings: IntegrationSettings, product: WholeProduct, owner: SignedIn
) -> None:
    await put(owner, "sarvam", SARVAM)  # sealed with the product's key, which `settings` has not

    assert (await settings.verify(owner.tenant, SarvamCredentials)).status == "error"


async def test_a_provider_without_a_check_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="no check of Credentials"):
        await Verifier(SafeClient(), ProviderUrls("", "", "")).fault(Credentials())
