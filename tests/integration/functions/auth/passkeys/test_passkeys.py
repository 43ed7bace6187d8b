"""Passkeys, made and used by an authenticator in software, which can also do what no honest one does."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from callmissed.platform.tables import TENANTS
from functions.auth.passkeys.service import MAX_PASSKEYS
from functions.auth.two_factor.records import factor_key
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.people import new_tenant
from tests.support.second_factor import FactorOwner, new_factor_owner, tokens_of
from tests.support.sign_in import CONSOLE, PASSWORD, SettableClock, SignInPages, body_of
from tests.support.whole_product import Reply, WholeProduct


@pytest.fixture
def authenticator() -> SoftwareAuthenticator:
    return SoftwareAuthenticator(CONSOLE)


@pytest_asyncio.fixture
async def newcomer(pages: SignInPages) -> FactorOwner:
    return await new_factor_owner(pages)


@pytest_asyncio.fixture
async def owner(newcomer: FactorOwner, authenticator: SoftwareAuthenticator) -> FactorOwner:
    """A person with one passkey."""
    await newcomer.add_passkey(authenticator)
    return newcomer


def code_of(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.error["code"]


async def test_options_are_of_the_console_and_ask_for_user_verification(newcomer: FactorOwner) -> None:
    options = (await newcomer.post("passkey/register/options"))["options"]

    assert options["rp"] == {"name": "CallMissed", "id": "console.example.com"}
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["user"]["name"] == newcomer.email
    assert options["timeout"] == 300_000


async def test_passkey_is_a_second_factor_from_its_registration_on(
    newcomer: FactorOwner, authenticator: SoftwareAuthenticator
) -> None:
    tokens_of(await newcomer.pages.login(newcomer.email))
    passkey = await newcomer.add_passkey(authenticator, "Laptop")
    assert passkey == {
        "id": passkey["id"],
        "name": "Laptop",
        "transports": "internal,hybrid",
        "created_at": passkey["created_at"],
        "last_used_at": None,
    }

    mail = newcomer.pages.mails[-1]
    assert (mail.name, mail.to, mail.parameters["factor"]) == ("second_factor_added", newcomer.email, "a passkey")
    challenge = await newcomer.challenge()
    assert challenge["methods"] == ["passkey"]
    options = challenge["passkey_options"]
    assert (options["rpId"], options["userVerification"]) == ("console.example.com", "required")
    assert [each["id"] for each in options["allowCredentials"]] == list(authenticator.keys)
    tokens = body_of(await newcomer.present(challenge, authenticator.get(options)))

    assert (await newcomer.pages.me(tokens)).status == 200
    assert (await newcomer.get("passkey/list"))[0]["last_used_at"]
    assert {"passkey.create", "session.begin"} <= set(await newcomer.actions())


async def test_either_factor_completes_the_sign_in(owner: FactorOwner, authenticator: SoftwareAuthenticator) -> None:
    await owner.enable()
    challenge = await owner.challenge()
    assert challenge["methods"] == ["totp", "passkey"]
    options = (await owner.post("passkey/register/options"))["options"]
    assert [each["id"] for each in options["excludeCredentials"]] == list(authenticator.keys)

    tokens_of(await owner.answer(challenge, owner.code()))
    challenge = await owner.challenge()
    tokens_of(await owner.present(challenge, authenticator.get(challenge["passkey_options"])))


Change = Callable[[SoftwareAuthenticator], SoftwareAuthenticator]
DISHONEST: dict[str, Change] = {
    "another origin": lambda honest: replace(honest, origin="https://console.example.com.evil.example"),
    "the origin without its scheme's s": lambda honest: replace(honest, origin="http://console.example.com"),
    "another port": lambda honest: replace(honest, origin=f"{CONSOLE}:8443"),
    "a frame in a page of another origin": lambda honest: replace(honest, framed_by="https://evil.example"),
    "another relying party": lambda honest: replace(honest, rp_id="evil.example"),
    "no user verification": lambda honest: replace(honest, verifies=False),
}


@pytest.mark.parametrize("change", DISHONEST.values(), ids=DISHONEST.keys())
async def test_registration_and_sign_in_refuse(
    owner: FactorOwner, authenticator: SoftwareAuthenticator, change: Change
) -> None:
    dishonest = change(authenticator)
    begun, challenge = await owner.post("passkey/register/options"), await owner.challenge()

    registered = await owner.register(begun, dishonest.create(begun["options"]))
    known = next(iter(authenticator.keys))
    signed_in = await owner.present(challenge, dishonest.get(challenge["passkey_options"], known))

    assert code_of(registered) == (400, "invalid_credential")
    assert code_of(signed_in) == (400, "invalid_code")


async def test_headers_of_a_request_change_neither_origin_nor_relying_party(
    newcomer: FactorOwner, authenticator: SoftwareAuthenticator
) -> None:
    evil = {"Origin": "https://evil.example", "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    path = "/api/v1/auth/passkey/register/options"
    begun = body_of(await newcomer.person.call("POST", path, {}, evil))
    assert begun["options"]["rp"]["id"] == "console.example.com"
    refused = await newcomer.register(begun, replace(authenticator, origin=evil["Origin"]).create(begun["options"]))
    assert refused.status == 400


async def test_passkey_counts_for_the_person_who_registered_it_only(
    owner: FactorOwner, authenticator: SoftwareAuthenticator
) -> None:
    stranger, theirs = await new_factor_owner(owner.pages), SoftwareAuthenticator(CONSOLE)
    await stranger.add_passkey(theirs)
    challenge = await owner.challenge()

    refused = await owner.present(challenge, theirs.get(challenge["passkey_options"], next(iter(theirs.keys))))
    assert code_of(refused) == (400, "invalid_code")
    tokens_of(await owner.present(challenge, authenticator.get(challenge["passkey_options"])))


async def test_answer_to_another_challenge_is_refused(owner: FactorOwner, authenticator: SoftwareAuthenticator) -> None:
    first, second = await owner.challenge(), await owner.challenge()
    refused = await owner.present(second, authenticator.get(first["passkey_options"]))
    assert code_of(refused) == (400, "invalid_code")


async def test_answer_is_used_once(owner: FactorOwner, authenticator: SoftwareAuthenticator) -> None:
    challenge = await owner.challenge()
    credential = authenticator.get(challenge["passkey_options"])
    replies = await asyncio.gather(*(owner.present(challenge, credential) for _ in range(3)))
    # A loser meets either the used challenge, or the sign count that the winner has stored.
    statuses = Counter(reply.status for reply in replies)
    assert statuses[200] == 1
    assert statuses.keys() <= {200, 400, 401}


async def test_sign_count_that_does_not_grow_is_refused(
    owner: FactorOwner, authenticator: SoftwareAuthenticator
) -> None:
    challenge = await owner.challenge()
    tokens_of(await owner.present(challenge, authenticator.get(challenge["passkey_options"])))
    for key in authenticator.keys.values():
        key.sign_count -= 1

    challenge = await owner.challenge()
    refused = await owner.present(challenge, authenticator.get(challenge["passkey_options"]))
    assert code_of(refused) == (400, "invalid_code")
    tokens_of(await owner.present(challenge, authenticator.get(challenge["passkey_options"])))


async def test_registration_is_bound_to_its_person_and_used_once(
    owner: FactorOwner, authenticator: SoftwareAuthenticator
) -> None:
    begun = await owner.post("passkey/register/options")
    stranger = await new_factor_owner(owner.pages)
    foreign = await stranger.register(begun, authenticator.create(begun["options"]))
    assert code_of(foreign) == (400, "invalid_registration_token")

    body_of(await owner.register(begun, authenticator.create(begun["options"])))
    again = await owner.register(begun, authenticator.create(begun["options"]))
    assert code_of(again) == (400, "invalid_registration_token")


async def test_registration_ends_after_five_minutes(owner: FactorOwner, authenticator: SoftwareAuthenticator) -> None:
    begun = await owner.post("passkey/register/options")
    owner.pages.clock.pass_seconds(300)
    late = await owner.register(begun, authenticator.create(begun["options"]))
    assert code_of(late) == (400, "invalid_registration_token")


async def test_token_belongs_into_the_query(owner: FactorOwner, authenticator: SoftwareAuthenticator) -> None:
    begun = await owner.post("passkey/register/options")
    body = {"credential": authenticator.create(begun["options"]), "registration_token": begun["registration_token"]}
    assert (await owner.call("POST", "passkey/register/verify", body)).status == 422


async def test_person_has_twenty_passkeys_at_most(newcomer: FactorOwner) -> None:
    begun = [await newcomer.post("passkey/register/options") for _ in range(3)]
    made = [SoftwareAuthenticator(CONSOLE).create(each["options"]) for each in begun]
    body_of(await newcomer.register(begun[0], made[0]))
    key = factor_key(newcomer.person.tenant, newcomer.person.user.user_id)
    await newcomer.pages.database.update_if(TENANTS, key, set={"passkeys": MAX_PASSKEYS - 1})

    replies = await asyncio.gather(*(newcomer.register(each, by) for each, by in zip(begun[1:], made[1:], strict=True)))

    assert sorted(reply.status for reply in replies) in ([200, 400], [200, 409])
    assert code_of(await newcomer.call("POST", "passkey/register/options")) == (400, "too_many_passkeys")


async def test_passkey_is_renamed_and_deleted(owner: FactorOwner) -> None:
    [passkey] = await owner.get("passkey/list")
    renamed = await owner.call("PATCH", f"passkey/{passkey['id']}", {"name": "Phone"})
    assert body_of(renamed) == passkey | {"name": "Phone"}
    assert (await owner.call("PATCH", f"passkey/{passkey['id']}", {"name": "\0"})).status == 400
    other = await owner.other_session()

    body_of(await owner.call("DELETE", f"passkey/{passkey['id']}"))

    assert await owner.get("passkey/list") == []
    assert (await other.call("GET", "/api/v1/auth/me")).status == 401
    tokens_of(await owner.pages.login(owner.email))
    assert (await owner.call("DELETE", f"passkey/{passkey['id']}")).status == 404
    assert {"passkey.create", "passkey.update", "passkey.delete"} <= set(await owner.actions())


@pytest.mark.parametrize("passkey_id", ["psk_1", "x" * 1100, "psk_" + "0" * 24])
async def test_passkey_that_is_none_is_not_found(owner: FactorOwner, passkey_id: str) -> None:
    assert (await owner.call("DELETE", f"passkey/{passkey_id}")).status == 404


async def test_disabling_codes_leaves_passkeys(owner: FactorOwner) -> None:
    await owner.enable()
    await owner.post("2fa/disable", {"code": owner.code(), "password": PASSWORD})
    assert (await owner.challenge())["methods"] == ["passkey"]


GARBAGE: list[dict[str, Any]] = [
    {},
    {"id": 1},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA", "attestationObject": "AA"}},
    {
        "id": "AA",
        "rawId": "AA",
        "type": "public-key",
        "response": {"clientDataJSON": "e30", "authenticatorData": "é", "signature": "AA", "userHandle": "AA"},
    },
    {"id": ["\ud800"], "rawId": {}, "type": [], "response": []},
]


@pytest.mark.parametrize("credential", GARBAGE)
async def test_garbage_is_no_credential(owner: FactorOwner, credential: dict[str, Any]) -> None:
    begun, challenge = await owner.post("passkey/register/options"), await owner.challenge()
    assert (await owner.register(begun, credential)).status in (400, 422)
    assert (await owner.present(challenge, credential)).status in (400, 422)


async def test_public_key_that_no_item_could_hold_is_refused(owner: FactorOwner) -> None:
    """Nobody attests a key, so a person may send any."""
    endless = {1: 3, 3: -257, -1: b"\x01" * 450_000, -2: b"\x01\x00\x01"}
    begun = await owner.post("passkey/register/options")
    credential = SoftwareAuthenticator(CONSOLE, public_key=endless).create(begun["options"])

    assert code_of(await owner.register(begun, credential)) == (400, "invalid_credential")


async def test_parts_of_a_credential_are_refused_when_they_are_cut(
    owner: FactorOwner, authenticator: SoftwareAuthenticator
) -> None:
    for name in ("clientDataJSON", "attestationObject"):
        begun = await owner.post("passkey/register/options")
        credential = authenticator.create(begun["options"])
        for length in (0, 7, len(credential["response"][name]) // 2):
            cut = {**credential, "response": {**credential["response"], name: credential["response"][name][:length]}}
            assert (await owner.register(begun, cut)).status == 400


async def test_stage_without_console_has_no_passkeys(pages: SignInPages) -> None:
    settings = replace(pages.product.accounts.settings, console_url="")
    product = WholeProduct(settings, SettableClock(pages.clock.now))
    try:
        owner = await new_tenant(product)
        refused = await owner.call("POST", "/api/v1/auth/passkey/register/options", {})
        assert code_of(refused) == (503, "not_configured")
    finally:
        await product.close()
