"""A number is owned by whoever proves it with Meta."""

import secrets
from typing import Any

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.integrations.credentials import WhatsAppCredentials, whatsapp_account, whatsapp_business_account
from callmissed.integrations.repository import Integrations
from callmissed.platform.tables import BOTS
from callmissed.sealing import Sealer
from functions.bots.numbers.records import number_key
from local.fakes.graph.accounts import GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from tests.support.bots.bots_api import NOW, RING, BotsApi, BotTenant, refused

MANUAL, EXCHANGE = "/api/v1/whatsapp/onboarding/manual", "/api/v1/whatsapp/onboarding/exchange"
ACCOUNTS, NUMBERS = "/api/v1/whatsapp/accounts", "/api/v1/whatsapp/phone_numbers"
SEALER = Sealer(RING)
ACTOR = Actor(ActorKind.PERSON, "usr_of_tests")


@pytest.fixture
def proof(graph: FakeGraph) -> dict[str, Any]:
    """What proves a number of this test alone."""
    return proof_of(graph)


def proof_of(graph: FakeGraph, number_id: str = "", token: str = "") -> dict[str, Any]:
    """What proves a number in a new account. Another tenant's token for a number is for an account of its own."""
    number_id = number_id or str(secrets.randbelow(10**15) + 10**15)
    waba_id, token = str(secrets.randbelow(10**15) + 10**15), token or f"EAA{secrets.token_hex(8)}"
    graph.add_account(
        GraphApp("app-secret", app_id=waba_id), waba_id, [GraphNumber(number_id)], token, subscribed=False
    )
    return {"waba_id": waba_id, "phone_number_id": number_id, "access_token": token, "app_secret": "app-secret"}


async def save_settings(api: BotsApi, tenant: str, number_id: str, app_secret: str = "") -> None:
    """Type a number into the settings."""
    credentials = WhatsAppCredentials(
        phone_number_id=number_id,
        access_token="typed",
        verify_token="kettle",
        app_secret=app_secret,
    )
    await Integrations(api.database).save(tenant, credentials, SEALER, NOW)


async def owner_of(api: BotsApi, proof: dict[str, Any]) -> tuple[str, str | None] | None:
    """Tenant and signing secret of the number's callbacks."""
    found = await Integrations(api.database).find(whatsapp_account(proof["phone_number_id"]))
    return (found.tenant, SEALER.unseal(found.secret) if found.secret else None) if found else None


async def test_proven_number_is_connected(
    whatsapp_api: BotsApi, business: BotTenant, graph: FakeGraph, proof: dict[str, Any]
) -> None:
    answer = await business.call("POST", MANUAL, json=proof)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["fully_provisioned"], body["onboarding_error"]) == (True, None)
    assert body["phone_number"] == {
        "id": body["phone_number"]["id"],
        "account_id": body["account"]["id"],
        "bot_id": None,
        "phone_number_id": proof["phone_number_id"],
        "display_phone_number": "+91 80000 00001",
        "verified_name": "Stand-in Bakery",
        "code_verification_status": "VERIFIED",
        "quality_rating": "GREEN",
        "messaging_limit_tier": "TIER_1K",
        "throughput_level": "STANDARD",
        "registration_status": "connected",
        "registration_error": None,
        "name_status": "APPROVED",
        "ai_autoreply_enabled": True,
        "is_active": True,
        "created_at": "2026-11-25T09:30:00.000Z",
    }
    assert (await business.call("GET", NUMBERS)).json() == [body["phone_number"]]
    assert (await business.call("GET", ACCOUNTS)).json() == [body["account"]]
    assert body["account"]["review_status"] == "APPROVED"
    assert graph.state.accounts[proof["waba_id"]].subscribed
    assert await owner_of(whatsapp_api, proof) == (business.id, "app-secret")
    stored = await whatsapp_api.database.get(BOTS, number_key(business.id, proof["phone_number_id"]))
    assert proof["access_token"] not in str(stored)
    assert proof["access_token"] not in answer.text


async def test_repetition_renews_the_token_and_keeps_the_rest(
    business: BotTenant, graph: FakeGraph, proof: dict[str, Any]
) -> None:
    bot = await business.bot()
    first = (await business.call("POST", MANUAL, json=proof | {"bot_id": bot["id"]})).json()
    assert first["phone_number"]["bot_id"] == bot["id"]
    graph.revoke_token(proof["access_token"])
    graph.state.tokens["EAArenewed"] = type(graph.state.tokens[proof["access_token"]])(
        graph.state.accounts[proof["waba_id"]].app, {proof["waba_id"]}
    )

    again = await business.call("POST", MANUAL, json=proof | {"access_token": "EAArenewed", "app_secret": None})

    assert again.json() == first


async def test_settings_have_the_secret_that_onboarding_lacks(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    without = proof | {"app_secret": None}
    unsigned = (await business.call("POST", MANUAL, json=without)).json()
    assert (unsigned["fully_provisioned"], "app_secret" in unsigned["onboarding_error"]) == (False, True)
    await save_settings(whatsapp_api, business.id, "1", "of-the-settings")

    assert (await business.call("POST", MANUAL, json=without)).json()["fully_provisioned"]
    assert await owner_of(whatsapp_api, proof) == (business.id, "of-the-settings")


async def test_number_in_settings_keeps_nobody_from_proving_it(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    squatter = whatsapp_api.tenant()
    await save_settings(whatsapp_api, squatter.id, proof["phone_number_id"], "wrong")
    assert await owner_of(whatsapp_api, proof) == (squatter.id, "wrong")

    assert (await business.call("POST", MANUAL, json=proof)).status_code == 200

    assert await owner_of(whatsapp_api, proof) == (business.id, "app-secret")
    await save_settings(whatsapp_api, squatter.id, "2")  # what it left is not its own any more
    assert await owner_of(whatsapp_api, proof) == (business.id, "app-secret")


async def test_settings_of_the_owner_keep_the_number_proven(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    await business.call("POST", MANUAL, json=proof)
    await save_settings(whatsapp_api, business.id, proof["phone_number_id"])
    assert await owner_of(whatsapp_api, proof) == (business.id, "app-secret")

    await save_settings(whatsapp_api, business.id, str(secrets.randbelow(10**12)))

    assert await owner_of(whatsapp_api, proof) == (business.id, "app-secret")


async def test_proven_number_is_taken_only_when_its_token_fails(
    whatsapp_api: BotsApi, business: BotTenant, graph: FakeGraph, proof: dict[str, Any]
) -> None:
    await business.call("POST", MANUAL, json=proof)
    rival = whatsapp_api.tenant()
    theirs = proof_of(graph, proof["phone_number_id"])

    refused(await rival.call("POST", MANUAL, json=theirs), 409, "conflict")
    assert not graph.state.accounts[theirs["waba_id"]].subscribed
    graph.revoke_token(proof["access_token"])
    graph.fault("server_error", on="object", after=2)

    refused(await rival.call("POST", MANUAL, json=theirs), 502, "provider_error")
    assert (await rival.call("POST", MANUAL, json=theirs)).status_code == 200
    assert (await owner_of(whatsapp_api, proof) or ("",))[0] == rival.id
    (lost,) = (await business.call("GET", NUMBERS)).json()
    assert (lost["is_active"], lost["registration_status"]) == (False, "disconnected")


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"access_token": "EAAwrong"}, "token_rejected", "access_token"),
        ({"phone_number_id": "1"}, "number_not_registered", "phone_number_id"),
        ({"waba_id": "100200300400500"}, "number_not_registered", "phone_number_id"),
        ({"phone_number_id": "1/messages"}, "invalid_request_error", "phone_number_id"),
        ({"access_token": "a b\n"}, "invalid_request_error", "access_token"),
    ],
)
async def test_what_meta_refuses_is_422(
    business: BotTenant, proof: dict[str, Any], changes: dict[str, Any], code: str, place: str
) -> None:
    answer = await business.call("POST", MANUAL, json=proof | changes)

    error = refused(answer, 422, code)
    assert error["details"][0]["loc"] == ["body", place]
    assert proof["access_token"] not in answer.text
    assert (await business.call("GET", NUMBERS)).json() == []


async def test_number_of_another_account_is_422(business: BotTenant, graph: FakeGraph, proof: dict[str, Any]) -> None:
    other = proof_of(graph, token=proof["access_token"])

    answer = await business.call("POST", MANUAL, json=proof | {"waba_id": other["waba_id"]})

    refused(answer, 422, "number_not_in_account")


@pytest.mark.parametrize("kind", ["server_error", "lose_request", "lose_answer", "half_answer", "garbled_answer"])
async def test_meta_that_does_not_answer_is_502(
    business: BotTenant, graph: FakeGraph, proof: dict[str, Any], kind: str
) -> None:
    graph.fault(kind, on="*", times=None)

    refused(await business.call("POST", MANUAL, json=proof), 502, "provider_error")
    graph.clear_faults()
    assert (await business.call("POST", MANUAL, json=proof)).status_code == 200


async def test_callbacks_of_the_account_are_verified_by_the_secret_that_came_last(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    for secret in ("app-secret", "renewed-secret"):
        answer = await business.call("POST", MANUAL, json=proof | {"app_secret": secret})
        assert answer.status_code == 200, answer.text

        found = await Integrations(whatsapp_api.database).find(whatsapp_business_account(proof["waba_id"]))
        assert found is not None
        assert found.secret is not None
        assert (found.tenant, SEALER.unseal(found.secret)) == (business.id, secret)


async def test_foreign_bot_is_404_and_a_bot_for_calls_422(
    whatsapp_api: BotsApi, business: BotTenant, proof: dict[str, Any]
) -> None:
    foreign = await whatsapp_api.tenant().bot()
    ivr = await business.bot(type="ivr")

    refused(await business.call("POST", MANUAL, json=proof | {"bot_id": foreign["id"]}), 404, "not_found")
    refused(await business.call("POST", MANUAL, json=proof | {"bot_id": ivr["id"]}), 422, "invalid_request_error")


async def test_test_key_does_not_reach_meta(
    whatsapp_api: BotsApi, business: BotTenant, graph: FakeGraph, proof: dict[str, Any]
) -> None:
    with_test_key = whatsapp_api.tenant(business.id, key_id="key_of_tests", mode="test")

    refused(await with_test_key.call("POST", MANUAL, json=proof), 403, "permission_denied")
    refused(
        await with_test_key.call("POST", EXCHANGE, json={"code": "a", "phone_number_id": "1"}), 403, "permission_denied"
    )


async def test_code_of_a_sign_up_connects_its_number(
    whatsapp_api: BotsApi,
    business: BotTenant,
    graph: FakeGraph,
    proof: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = {"code": graph.signup_code(proof["waba_id"]), "phone_number_id": proof["phone_number_id"]}
    unset = refused(await business.call("POST", EXCHANGE, json=code), 409, "not_configured")
    assert "META_APP_ID" in unset["message"]
    monkeypatch.setenv("META_APP_ID", proof["waba_id"])
    monkeypatch.setenv("META_APP_SECRET", "app-secret")

    answer = await business.call("POST", EXCHANGE, json=code)

    assert answer.status_code == 200, answer.text
    assert answer.json()["fully_provisioned"]
    assert await owner_of(whatsapp_api, proof) == (business.id, "app-secret")
    refused(await business.call("POST", EXCHANGE, json=code), 422, "code_rejected")
