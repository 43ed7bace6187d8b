"""Sign-up, sign-in and reset by the codes of mails."""

import json

from callmissed.platform.tables import TENANTS
from callmissed.tenants.tenants import TenantStatus
from callmissed.tenants.users import address_key, user_key
from tests.support.people import set_status
from tests.support.sign_in import PASSWORD, SignInPages, body_of, new_address


async def test_code_signs_in_without_a_password(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)

    sent = await pages.post("otp/send", {"email": f"  {email.upper()} "})
    tokens = body_of(await pages.post("otp/login", {"email": email, "code": pages.code()}))

    assert (sent.status, pages.mails[-1].name) == (200, "login")
    assert (await pages.me(tokens)).status == 200


async def test_code_is_used_once(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    await pages.post("otp/send", {"email": email})
    form = {"email": email, "code": pages.code()}

    statuses = [(await pages.post("otp/login", form)).status for _ in range(2)]

    assert statuses == [200, 400]


async def test_code_of_one_purpose_is_none_of_another(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    await pages.post("otp/send", {"email": email, "purpose": "login"})
    form = {"email": email, "code": pages.code(), "new_password": "another password"}

    assert (await pages.post("reset-password", form)).error["code"] == "invalid_code"


async def test_reset_changes_the_password_and_ends_every_session(pages: SignInPages) -> None:
    email = new_address()
    earlier = await pages.account(email)
    await pages.post("otp/send", {"email": email, "purpose": "reset_password"})

    form = {"email": email, "code": pages.code(), "new_password": "another password"}
    tokens = body_of(await pages.post("reset-password", form))

    assert (await pages.me(tokens)).status == 200
    assert (await pages.me(earlier)).status == 401
    assert (await pages.post("refresh", {"refresh_token": earlier["refresh_token"]})).status == 401
    assert [(await pages.login(email, word)).status for word in (PASSWORD, "another password")] == [401, 200]
    assert pages.mails[-1].name == "password_changed"
    assert "password.reset" in [action for action, _ in await pages.actions(await tenant_of(pages, email))]


async def test_reset_confirms_the_address_of_somebody_invited(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    await change(pages, email, confirmed=False)
    await pages.post("otp/send", {"email": email, "purpose": "reset"})

    form = {"email": email, "code": pages.code(), "new_password": "another password"}
    body_of(await pages.post("reset-password", form))

    assert (await stored(pages, email))["confirmed"] is True


async def test_code_takes_an_account_back_whose_address_nobody_had_confirmed(pages: SignInPages) -> None:
    """Whoever invited the person may have chosen the password, and signed in with it."""
    email = new_address()
    earlier = await pages.account(email)
    await change(pages, email, confirmed=False)
    await pages.post("otp/send", {"email": email})

    tokens = body_of(await pages.post("otp/login", {"email": email, "code": pages.code()}))

    assert [(await pages.me(each)).status for each in (tokens, earlier)] == [200, 401]
    assert (await pages.login(email)).status == 401
    assert (await stored(pages, email))["confirmed"] is True
    assert "address.confirm" in [action for action, _ in await pages.actions(await tenant_of(pages, email))]


async def test_registration_ends_after_a_week_also_before_dynamodb_deletes_it(pages: SignInPages) -> None:
    email = new_address()
    await pages.registered(email)
    pages.clock.pass_seconds(7 * 24 * 3600)

    await pages.post("otp/send", {"email": email, "purpose": "register"})
    late = await pages.post("register/verify", {"email": email, "code": pages.code()})

    assert (await pages.login(email)).status == 401
    assert (late.status, pages.queued[-1].name) == (400, "nothing")


async def test_code_confirms_only_the_registration_that_it_was_sent_for(pages: SignInPages) -> None:
    """Somebody else may register the address while its owner looks for the mail."""
    email = new_address()
    await pages.registered(email, "password of the owner")
    of_the_owner = pages.code()
    for _ in range(5):
        await pages.registered(email, "password of another")

    refused = await pages.post("register/verify", {"email": email, "code": of_the_owner})

    assert refused.error["code"] == "invalid_code"
    assert len([mail for mail in pages.mails if mail.to == email]) == 5


async def test_sixth_mail_of_an_hour_is_not_sent_and_the_latest_code_stays(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    answers = {(await pages.post("otp/send", {"email": email})).body for _ in range(8)}
    mails = [mail for mail in pages.mails if mail.to == email and mail.name == "login"]

    assert (len(answers), len(mails)) == (1, 5)
    body_of(await pages.post("otp/login", {"email": email, "code": mails[-1].parameters["code"]}))
    pages.clock.pass_seconds(3601)
    await pages.post("otp/send", {"email": email})
    assert len([mail for mail in pages.mails if mail.to == email and mail.name == "login"]) == 6


async def test_registration_is_resent_and_confirmed_by_either_route(pages: SignInPages) -> None:
    email = new_address()
    await pages.registered(email)
    await pages.post("otp/send", {"email": email, "purpose": "register"})

    form = {"email": email, "code": pages.code(), "purpose": "register"}
    assert body_of(await pages.post("otp/login", form))["access_token"]


async def test_deactivated_person_is_refused_after_the_right_proof(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    await change(pages, email, is_active=False)
    await pages.post("otp/send", {"email": email})

    refused = [
        await pages.login(email, "wrong"),
        await pages.login(email),
        await pages.post("otp/login", {"email": email, "code": pages.code()}),
    ]

    assert [reply.error["code"] for reply in refused] == [
        "invalid_credentials",
        "account_deactivated",
        "account_deactivated",
    ]


async def test_people_of_a_suspended_tenant_are_refused(pages: SignInPages) -> None:
    email = new_address()
    await pages.account(email)
    tenant = await tenant_of(pages, email)

    found: dict[str, str] = {}
    for status in (TenantStatus.SUSPENDED, TenantStatus.DELETING, TenantStatus.DEACTIVATED):
        await set_status(pages.product, tenant, status)
        reply = await pages.login(email)
        found[status] = "signed in" if reply.status == 200 else reply.error["code"]

    assert found == {"suspended": "account_inactive", "deleting": "account_terminated", "deactivated": "signed in"}


async def tenant_of(pages: SignInPages, email: str) -> str:
    return (await pages.database.get(TENANTS, address_key(email)))["owner"]


async def stored(pages: SignInPages, email: str) -> dict[str, object]:
    address = await pages.database.get(TENANTS, address_key(email))
    return await pages.database.get(TENANTS, user_key(address["owner"], address["user_id"]))


async def change(pages: SignInPages, email: str, **changes: bool) -> None:
    address = await pages.database.get(TENANTS, address_key(email))
    assert await pages.database.update_if(TENANTS, user_key(address["owner"], address["user_id"]), set=changes)


async def test_replayed_refresh_token_is_reported_by_mail(pages: SignInPages) -> None:
    email = new_address()
    first = await pages.account(email)
    await pages.post("refresh", {"refresh_token": first["refresh_token"]})
    pages.clock.pass_seconds(11)

    replayed = await pages.post("refresh", {"refresh_token": first["refresh_token"]})

    assert json.loads(replayed.body)["error"]["message"] == "Session has been revoked"
    assert (pages.mails[-1].name, pages.mails[-1].to) == ("session_replay", email)
