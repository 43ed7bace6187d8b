"""Credentials of providers: sealed, replaced as a whole, and nobody's number twice."""

import asyncio

import pytest
from pydantic import ValidationError

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.integrations.credentials import TwilioCredentials, WhatsAppCredentials, masked, whatsapp_account
from callmissed.integrations.repository import Integration, Integrations, ProviderAccount, shown
from callmissed.sealing import Sealer
from tests.support.webhooks.callbacks import APP_SECRET, NOW, CallbacksApi, twilio_credentials, whatsapp_credentials

SEALER = Sealer((bytes(32),))


@pytest.fixture
def book(callbacks_api: CallbacksApi) -> Integrations:
    return Integrations(Database(callbacks_api.dynamodb, callbacks_api.name))


async def test_secrets_are_sealed_and_shown_masked(book: Integrations) -> None:
    record = await book.save("tnt_1", whatsapp_credentials(app_secret=""), SEALER, NOW)

    kept = await book.get("tnt_1", "whatsapp")
    assert kept is not None
    assert kept == record
    assert "EAAG-token" not in str(kept)
    assert "blue-kettle" not in str(kept)
    assert SEALER.unseal(kept.fields["access_token"]) == "EAAG-token"
    assert shown(kept, WhatsAppCredentials, SEALER) == {
        "phone_number_id": "1066",
        "access_token": "EAAG••••••••oken",
        "verify_token": "blue••••••••ttle",
        "app_secret": None,
        "allow_unsigned": False,
    }


async def test_an_account_leads_to_its_tenant(book: Integrations) -> None:
    await book.save("tnt_1", whatsapp_credentials(), SEALER, NOW)
    await book.save("tnt_1", twilio_credentials(), SEALER, NOW)

    found = await book.find(whatsapp_account("1066"))
    assert found is not None
    assert found.secret
    assert (found.tenant, SEALER.unseal(found.secret), found.allow_unsigned) == ("tnt_1", APP_SECRET, False)
    assert isinstance(await book.find("@twilio#AC0123#+14155550100"), ProviderAccount)
    assert await book.find(whatsapp_account("1067")) is None


async def test_another_number_takes_the_place_of_the_first_which_is_free_then(book: Integrations) -> None:
    await book.save("tnt_1", whatsapp_credentials("1"), SEALER, NOW)
    await book.save("tnt_1", whatsapp_credentials("2"), SEALER, Micros(NOW + 1))

    assert await book.find(whatsapp_account("1")) is None
    await book.save("tnt_2", whatsapp_credentials("1"), SEALER, NOW)
    owners = [await book.find(whatsapp_account(number)) for number in "12"]
    assert [account and account.tenant for account in owners] == ["tnt_2", "tnt_1"]


async def test_another_tenants_number_is_refused_and_nothing_is_changed(book: Integrations) -> None:
    await book.save("tnt_1", whatsapp_credentials("1"), SEALER, NOW)
    before = await book.save("tnt_2", whatsapp_credentials("2", verify_token="mine"), SEALER, NOW)

    with pytest.raises(ApiError, match="connected to another tenant") as refused:
        await book.save("tnt_2", whatsapp_credentials("1", verify_token="other"), SEALER, NOW)

    assert refused.value.status == 409
    assert await book.get("tnt_2", "whatsapp") == before
    assert await book.knows_verify_token("mine")
    assert not await book.knows_verify_token("other")


async def test_of_many_tenants_at_once_one_gets_the_number(book: Integrations) -> None:
    tenants = [new_id("tnt") for _ in range(8)]
    outcomes = await asyncio.gather(
        *(book.save(tenant, whatsapp_credentials(), SEALER, NOW) for tenant in tenants), return_exceptions=True
    )

    saved = [outcome for outcome in outcomes if isinstance(outcome, Integration)]
    account = await book.find(whatsapp_account("1066"))
    assert account is not None
    assert [integration.tenant for integration in saved] == [account.tenant]
    assert {outcome.status for outcome in outcomes if isinstance(outcome, ApiError)} == {409}


async def test_of_two_changes_at_once_none_is_half_done(book: Integrations) -> None:
    await book.save("tnt_1", whatsapp_credentials("0"), SEALER, NOW)
    numbers = [str(number) for number in range(1, 7)]
    await asyncio.gather(
        *(book.save("tnt_1", whatsapp_credentials(number), SEALER, NOW) for number in numbers), return_exceptions=True
    )

    kept = await book.get("tnt_1", "whatsapp")
    found = [number for number in ["0", *numbers] if await book.find(whatsapp_account(number))]
    assert kept is not None
    assert found == [kept.fields["phone_number_id"]]


@pytest.mark.parametrize(
    "changes",
    [{"phone_number_id": ""}, {"access_token": "x" * 1025}, {"verify_token": ""}, {"app_secret": "x" * 256}],
)
def test_whatsapp_credentials_have_bounds(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        whatsapp_credentials(**changes)


@pytest.mark.parametrize("number", ["", "4155550100", "+0155", "+1415#1", "+1\n", "+" + "1" * 20])
def test_a_twilio_number_is_in_e164(number: str) -> None:
    with pytest.raises(ValidationError):
        TwilioCredentials(account_sid="AC1", auth_token="x", phone_number=number)


def test_a_mask_shows_the_ends_of_long_secrets_only() -> None:
    assert masked("123456789") == "1234••••••••6789"
    assert masked("12345678") == "••••••••"
    assert masked("") is None
