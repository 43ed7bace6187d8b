"""The second factor by codes: set up, asked for, used once, taken away."""

import asyncio
import base64
from collections import Counter

import pytest
import pytest_asyncio

from callmissed.clock import Micros
from callmissed.platform.tables import TENANTS
from callmissed.sessions.records import Session
from callmissed.tenants.users import User
from functions.auth.sessions.refresh_tokens import RefreshToken
from functions.auth.two_factor.records import factor_key
from tests.support.people import sign_in
from tests.support.second_factor import FactorOwner, new_factor_owner, tokens_of
from tests.support.sign_in import PASSWORD, SignInPages, body_of
from tests.support.whole_product import Reply


@pytest_asyncio.fixture
async def newcomer(pages: SignInPages) -> FactorOwner:
    return await new_factor_owner(pages)


@pytest_asyncio.fixture
async def owner(newcomer: FactorOwner) -> FactorOwner:
    await newcomer.enable()
    return newcomer


def code_of(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.error["code"]


async def test_setup_returns_the_same_secret_and_asks_for_nothing(newcomer: FactorOwner) -> None:
    first, second = await newcomer.post("2fa/setup"), await newcomer.post("2fa/setup")

    assert first == second
    assert (first["account_name"], first["issuer"]) == (newcomer.email, "CallMissed")
    assert first["provisioning_uri"].startswith("otpauth://totp/CallMissed:")
    assert first["qr_code"].startswith("data:image/svg+xml")
    assert len(base64.b32decode(first["secret"])) == 20
    tokens_of(await newcomer.pages.login(newcomer.email))


async def test_enable_refuses_a_missing_and_an_expired_setup_and_a_wrong_code(newcomer: FactorOwner) -> None:
    assert code_of(await newcomer.call("POST", "2fa/enable", {"code": "123456"})) == (400, "setup_required")
    newcomer.secret = (await newcomer.post("2fa/setup"))["secret"]
    wrong = await newcomer.call("POST", "2fa/enable", {"code": newcomer.wrong_code()})
    assert code_of(wrong) == (400, "invalid_code")
    newcomer.pages.clock.pass_seconds(15 * 60)
    late = await newcomer.call("POST", "2fa/enable", {"code": newcomer.code()})
    assert code_of(late) == (400, "setup_expired")
    assert not (await newcomer.get("2fa/status"))["enabled"]


async def test_enabled_factor_is_asked_for_and_completes_the_sign_in(owner: FactorOwner) -> None:
    status = await owner.get("2fa/status")
    assert (status["enabled"], status["backup_codes_remaining"], status["has_password"]) == (True, 10, True)
    assert code_of(await owner.call("POST", "2fa/setup")) == (400, "two_factor_already_enabled")

    challenge = await owner.challenge()
    assert (challenge["access_token"], challenge["refresh_token"]) == (None, None)
    assert (challenge["methods"], challenge["passkey_options"]) == (["totp"], None)

    tokens = body_of(await owner.answer(challenge, owner.code()))
    assert (await owner.pages.me(tokens)).status == 200
    assert await owner.actions() == ["2fa.enable", "session.begin"]


async def test_used_code_is_refused_in_another_sign_in_and_the_tries_left_are_named(owner: FactorOwner) -> None:
    code = owner.code()
    tokens_of(await owner.answer(await owner.challenge(), code))

    again = await owner.answer(await owner.challenge(), code)

    assert code_of(again) == (400, "invalid_code")
    assert "4 tries are left" in again.error["message"]
    tokens_of(await owner.answer(await owner.challenge(), owner.code(steps=1)))


async def test_code_at_once_completes_one_sign_in(owner: FactorOwner) -> None:
    challenges = [await owner.challenge() for _ in range(4)]
    replies = await asyncio.gather(*(owner.answer(challenge, owner.code()) for challenge in challenges))
    assert Counter(reply.status for reply in replies) == {200: 1, 400: 3}


async def test_challenge_is_used_once(owner: FactorOwner) -> None:
    challenge = await owner.challenge()
    answers = (owner.answer(challenge, code) for code in owner.backup_codes[:3])
    assert Counter(reply.status for reply in await asyncio.gather(*answers)) == {200: 1, 401: 2}
    assert (await owner.get("2fa/status"))["backup_codes_remaining"] == 9


async def test_challenge_ends_after_five_tries_that_are_counted_before(owner: FactorOwner) -> None:
    challenge = await owner.challenge()

    wrong = await asyncio.gather(*(owner.answer(challenge, owner.wrong_code()) for _ in range(9)))
    right = await owner.answer(challenge, owner.code())

    assert Counter(reply.status for reply in wrong) == {400: 5, 429: 4}
    assert code_of(right) == (429, "rate_limit_exceeded")
    assert 0 < int(right.headers["retry-after"]) <= 300
    assert (await owner.actions()).count("session.refuse") == 5


async def test_challenge_ends_after_five_minutes(owner: FactorOwner) -> None:
    challenge = await owner.challenge()
    owner.pages.clock.pass_seconds(300)
    assert code_of(await owner.answer(challenge, owner.code())) == (401, "invalid_challenge")


async def test_challenge_ends_with_the_generation_of_its_person(owner: FactorOwner) -> None:
    challenge = await owner.challenge()
    user = await owner.user()
    key = {"tenant": user.tenant, "item": f"USER#{user.user_id}"}
    await owner.pages.database.update_if(TENANTS, key, set={"generation": user.generation + 1})
    assert code_of(await owner.answer(challenge, owner.code())) == (401, "invalid_challenge")


async def test_challenge_of_another_purpose_or_of_nobody_is_refused(owner: FactorOwner) -> None:
    registration = await owner.post("passkey/register/options")
    for token in (registration["registration_token"], "cmc_" + "0" * 64):
        refused = await owner.answer({"challenge_token": token}, owner.code())
        assert code_of(refused) == (401, "invalid_challenge")


async def test_guesses_of_all_challenges_of_a_person_are_limited(owner: FactorOwner) -> None:
    statuses: list[int] = []
    for _ in range(4):
        challenge = await owner.challenge()
        statuses += [(await owner.answer(challenge, owner.wrong_code())).status for _ in range(5)]
        owner.pages.clock.pass_seconds(60)
    assert Counter(statuses) == {400: 19, 429: 1}  # enabling was the first try of twenty
    assert (await owner.actions()).count("session.refuse") == 10

    owner.pages.clock.pass_seconds(3600)
    tokens_of(await owner.answer(await owner.challenge(), owner.code()))


async def test_backup_code_completes_one_sign_in(owner: FactorOwner) -> None:
    code = owner.backup_codes[0]
    challenges = [await owner.challenge() for _ in range(3)]

    replies = await asyncio.gather(*(owner.answer(challenge, code) for challenge in challenges))

    assert Counter(reply.status for reply in replies) == {200: 1, 400: 2}
    begun = [
        metadata for action, metadata in await owner.pages.actions(owner.person.tenant) if action == "session.begin"
    ]
    assert [metadata["method"] for metadata in begun] == ["backup_code"]


async def test_regenerated_backup_codes_replace_those_of_before(owner: FactorOwner) -> None:
    by_backup_code = await owner.call("POST", "2fa/backup-codes/regenerate", {"code": owner.backup_codes[0]})
    assert by_backup_code.status == 422
    renewed = await owner.post("2fa/backup-codes/regenerate", {"code": owner.code()})
    assert len(renewed["backup_codes"]) == 10
    mail = owner.pages.mails[-1]
    added = (mail.name, mail.to, mail.parameters["factor"])
    assert added == ("second_factor_added", owner.email, "a new set of backup codes")

    old = await owner.answer(await owner.challenge(), owner.backup_codes[1])
    new = await owner.answer(await owner.challenge(), renewed["backup_codes"][1])

    assert (old.status, new.status) == (400, 200)
    assert "2fa.backup_codes" in await owner.actions()


async def test_code_that_regenerated_backup_codes_is_used(owner: FactorOwner) -> None:
    code = owner.code()
    await owner.post("2fa/backup-codes/regenerate", {"code": code})
    assert (await owner.answer(await owner.challenge(), code)).status == 400


@pytest.mark.parametrize("password", [None, "wrong password"])
async def test_disable_needs_the_password_and_a_code(owner: FactorOwner, password: str | None) -> None:
    body = {"code": owner.code(), **({"password": password} if password else {})}
    assert code_of(await owner.call("POST", "2fa/disable", body)) == (400, "invalid_password")
    wrong = await owner.call("POST", "2fa/disable", {"code": owner.wrong_code(), "password": PASSWORD})
    assert code_of(wrong) == (400, "invalid_code")
    assert (await owner.get("2fa/status"))["enabled"]


async def test_disable_keeps_the_session_of_the_caller_and_ends_the_others(owner: FactorOwner) -> None:
    other = await owner.other_session()
    challenge = await owner.challenge()

    await owner.post("2fa/disable", {"code": owner.backup_codes[0], "password": PASSWORD})

    assert (await owner.call("GET", "me")).status == 200
    assert (await other.call("GET", "/api/v1/auth/me")).status == 401
    assert (await owner.pages.post("refresh", {"refresh_token": other.tokens.refresh})).status == 401
    refreshed = body_of(await owner.pages.post("refresh", {"refresh_token": owner.person.tokens.refresh}))
    assert (await owner.pages.me(refreshed)).status == 200
    assert (await owner.answer(challenge, owner.code())).status == 401
    tokens_of(await owner.pages.login(owner.email))
    assert "2fa.disable" in await owner.actions()
    assert owner.pages.mails[-1].name == "second_factor_removed"
    again = await owner.post("2fa/disable", {"code": "000000"})
    assert again["detail"] == "Two-factor authentication is not enabled."


async def test_session_that_is_refreshing_when_the_factor_is_removed_is_refused(
    owner: FactorOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, sessions = await owner.other_session(), owner.pages.product.people.sessions
    read = sessions._read  # pyright: ignore[reportPrivateUsage]  the moment between its read and its write

    async def read_before_the_removal(token: RefreshToken, now: Micros) -> tuple[Session, User]:
        monkeypatch.undo()
        found = await read(token, now)
        await owner.post("2fa/disable", {"code": owner.code(), "password": PASSWORD})
        return found

    monkeypatch.setattr(sessions, "_read", read_before_the_removal)
    refreshed = body_of(await owner.pages.post("refresh", {"refresh_token": other.tokens.refresh}))

    assert (await owner.pages.me(refreshed)).status == 401
    assert (await owner.pages.post("refresh", {"refresh_token": refreshed["refresh_token"]})).status == 401
    assert (await owner.call("GET", "me")).status == 200


async def test_person_without_password_disables_by_code_alone(pages: SignInPages) -> None:
    newcomer = await new_factor_owner(pages)
    key = {"tenant": newcomer.person.tenant, "item": f"USER#{newcomer.person.user.user_id}"}
    await pages.database.update_if(TENANTS, key, set={"password": ""})
    await newcomer.enable()
    assert not (await newcomer.get("2fa/status"))["has_password"]
    await newcomer.post("2fa/disable", {"code": newcomer.code()})
    assert not (await newcomer.get("2fa/status"))["enabled"]


async def test_second_factor_is_stored_without_anything_that_opens_it(owner: FactorOwner) -> None:
    key = factor_key(owner.person.tenant, owner.person.user.user_id)
    stored = str(await owner.pages.database.get(TENANTS, key))
    assert owner.secret not in stored
    assert not any(code in stored or code.replace("-", "") in stored for code in owner.backup_codes)


async def test_members_have_second_factors_of_their_own(owner: FactorOwner, pages: SignInPages) -> None:
    stranger = await new_factor_owner(pages)
    await stranger.enable()
    mine, theirs = await owner.challenge(), await stranger.challenge()
    assert (await owner.answer(mine, stranger.backup_codes[0])).status == 400
    assert (await owner.answer(theirs, owner.backup_codes[0])).status == 400
    assert (await stranger.answer(theirs, stranger.backup_codes[0])).status == 200
    assert (await sign_in(pages.product, await owner.user())).tenant == owner.person.tenant
