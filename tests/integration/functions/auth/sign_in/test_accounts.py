"""New accounts: the bonus, the terms of service, and one identity for all ways to write an address."""

import pytest

from callmissed.ledger.grants import had_signup_bonus
from callmissed.ledger.queries import balance
from callmissed.ledger.reconcile import reconcile
from callmissed.money import CREDIT
from callmissed.platform.tables import LEDGER, TENANTS
from callmissed.tenants.identity import identity_hash
from callmissed.tenants.users import address_key
from local.aws.tables import StageTables
from tests.support.sign_in import PASSWORD, SettableClock, SignInPages, body_of, new_address, settings_of
from tests.support.whole_product import WholeProduct


async def test_first_confirmed_address_of_a_tenant_gets_the_bonus_once_for_ever(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    first = (await pages.database.get(TENANTS, address_key(email)))["owner"]
    await pages.database.delete_if(TENANTS, address_key(email))  # as a deletion of the account leaves it
    await pages.account(email)
    second = (await pages.database.get(TENANTS, address_key(email)))["owner"]

    available = [(await balance(pages.database, tenant, pages.clock.now)).available for tenant in (first, second)]
    entries = [
        (entry["type"], entry["amount"])
        for tenant in (first, second)
        async for entry in pages.database.query(LEDGER, tenant)
    ]

    assert available == [100 * CREDIT, 0]
    assert entries == [("signup_bonus", 100 * CREDIT)]
    assert await had_signup_bonus(pages.database, identity_hash(email))
    assert (await reconcile(pages.database, pages.clock.now)).drifts == []


async def test_stage_without_a_bonus_gives_none(module_tables: StageTables) -> None:
    product = WholeProduct(settings_of(module_tables, signup_bonus_credits=0), SettableClock())
    pages, email = SignInPages(product, SettableClock()), new_address()
    tokens = await pages.account(email)
    assert b'"credit_balance":0.0' in (await pages.me(tokens)).body
    await product.close()


async def test_terms_of_service_must_be_accepted_where_there_are_some(module_tables: StageTables) -> None:
    product = WholeProduct(settings_of(module_tables, terms_url="https://example.com/terms"), SettableClock())
    pages, email = SignInPages(product, SettableClock()), new_address()

    refused = await pages.registered(email)
    accepted = await pages.registered(email, accept_terms=True)

    assert (refused.status, refused.error["details"][0]["loc"]) == (422, ["body", "accept_terms"])
    assert "https://example.com/terms" in refused.error["message"]
    assert accepted.status == 200
    await product.close()


@pytest.mark.parametrize(
    "written", [" ADA{n}@Bücher.example ", "ada{n}@xn--bcher-kva.example", "Ada{n}@BÜCHER.Example"]
)
async def test_address_is_one_however_it_is_written(pages: SignInPages, written: str) -> None:
    number = new_address().partition("@")[0]
    stored = f"ada{number}@xn--bcher-kva.example"
    await pages.account(written.format(n=number))

    tokens = body_of(await pages.login(stored))

    assert tokens["email"] == stored
    assert (await pages.registered(f"aDa{number}@bücher.example")).status == 200
    assert pages.mails[-1].name == "register_again"


async def test_address_that_no_mail_can_reach_is_refused_in_plain_words(pages: SignInPages) -> None:
    reply = await pages.registered("josé@example.com")
    assert (reply.status, reply.error["message"]) == (
        400,
        "The part of an e-mail address before the @ may have only ASCII characters.",
    )


@pytest.mark.parametrize(
    ("written", "stored"), [("+91 98765 43210", "+919876543210"), ("098765 43210", "+919876543210"), ("", None)]
)
async def test_phone_number_is_kept_in_one_form(pages: SignInPages, written: str, stored: str | None) -> None:
    email = new_address()
    await pages.registered(email, phone_number=written)
    tokens = body_of(await pages.post("register/verify", {"email": email, "code": pages.code()}))
    shown = f'"phone_number":{f"{chr(34)}{stored}{chr(34)}" if stored else "null"}'
    assert shown.encode() in (await pages.me(tokens)).body


async def test_text_that_is_no_phone_number_is_refused(pages: SignInPages) -> None:
    reply = await pages.registered(new_address(), PASSWORD, phone_number="call me")
    assert (reply.status, reply.error["code"]) == (400, "invalid_request_error")
