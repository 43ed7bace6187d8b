"""Recovery without second factor: what it removes, and that it says nothing about accounts."""

import json
from collections import Counter
from collections.abc import Awaitable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from functions.auth.sign_in import passwords
from functions.auth.two_factor.records import list_passkeys
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.second_factor import FactorOwner, new_factor_owner, tokens_of
from tests.support.sign_in import CONSOLE, PASSWORD, SignInPages, body_of, new_address
from tests.support.whole_product import Reply


@pytest_asyncio.fixture
async def owner(pages: SignInPages) -> FactorOwner:
    owner = await new_factor_owner(pages)
    await owner.enable()
    return owner


async def request(pages: SignInPages, email: str, password: str = PASSWORD) -> Reply:
    return await pages.post("2fa/recovery/request", {"email": email, "password": password})


async def confirm(pages: SignInPages, email: str, code: str, password: str = PASSWORD) -> Reply:
    return await pages.post("2fa/recovery/confirm", {"email": email, "code": code, "password": password})


async def test_recovery_removes_all_second_factors_and_ends_all_sessions(owner: FactorOwner) -> None:
    await owner.add_passkey(SoftwareAuthenticator(CONSOLE))

    body_of(await request(owner.pages, owner.email))
    mail = owner.pages.mails[-1]
    assert (mail.name, mail.to) == ("recovery", owner.email)
    body_of(await confirm(owner.pages, owner.email, mail.parameters["code"]))

    assert (await owner.call("GET", "me")).status == 401
    tokens_of(await owner.pages.login(owner.email))
    user = await owner.user()
    assert not user.second_factor
    assert await list_passkeys(owner.pages.database, user.tenant, user.user_id) == []
    assert "2fa.recover" in await owner.actions()
    assert owner.pages.mails[-1].name == "second_factor_removed"
    again = await confirm(owner.pages, owner.email, mail.parameters["code"])
    assert again.status == 400


async def test_confirmation_refuses_alike_whatever_is_wrong(owner: FactorOwner) -> None:
    without_factor = await new_factor_owner(owner.pages)
    await request(owner.pages, owner.email)
    code = owner.pages.code()
    wrong = "000000" if code != "000000" else "111111"

    refused = [
        await confirm(owner.pages, owner.email, wrong),
        await confirm(owner.pages, owner.email, code, "wrong password"),
        await confirm(owner.pages, new_address(), code),
        await confirm(owner.pages, without_factor.email, code),
    ]

    assert {reply.status for reply in refused} == {400}
    assert len({json.dumps(without_id(reply.error), sort_keys=True) for reply in refused}) == 1
    body_of(await confirm(owner.pages, owner.email, code))


async def test_nobody_burns_a_code_or_mails_without_the_password(owner: FactorOwner) -> None:
    await request(owner.pages, owner.email)
    code = owner.pages.code()
    for _ in range(6):
        await request(owner.pages, owner.email, "wrong password")
        await confirm(owner.pages, owner.email, "000000", "wrong password")

    assert body_of(await confirm(owner.pages, owner.email, code))["detail"].startswith("The second factor was removed")


async def test_person_gets_five_mails_an_hour(owner: FactorOwner) -> None:
    before = len(owner.pages.mails)
    for _ in range(7):
        body_of(await request(owner.pages, owner.email))
    assert len(owner.pages.mails) - before == 5
    body_of(await confirm(owner.pages, owner.email, owner.pages.code()))


Work = tuple[int, Counter[str], int]


async def work_of(pages: SignInPages, monkeypatch: pytest.MonkeyPatch, asking: Awaitable[Reply]) -> Work:
    """Status of the reply, requests to DynamoDB together with hashes, and jobs of mails."""
    counted, jobs = Counter[str](), len(pages.queued)
    call, hasher = pages.database.dynamodb.call, passwords._hasher  # pyright: ignore[reportPrivateUsage]

    async def counting(operation: str, request: dict[str, Any], **more: Any) -> Any:
        counted[operation] += 1
        return await call(operation, request, **more)

    with monkeypatch.context() as patches:
        patches.setattr(pages.database.dynamodb, "call", counting)
        patches.setattr(passwords, "_hasher", _Counting(hasher, counted))
        reply = await asking
    return reply.status, counted, len(pages.queued) - jobs


async def test_request_works_alike_for_everybody(owner: FactorOwner, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, without_factor = owner.pages, await new_factor_owner(owner.pages)
    expected = (200, Counter(GetItem=1, BatchGetItem=1, verify=1, TransactWriteItems=1, UpdateItem=2), 1)
    for email, password in (
        (owner.email, PASSWORD),
        (owner.email, "wrong password"),
        (without_factor.email, PASSWORD),
        (new_address(), PASSWORD),
    ):
        assert await work_of(pages, monkeypatch, request(pages, email, password)) == expected


async def test_refused_confirmation_works_alike_for_everybody(
    owner: FactorOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, without_factor = owner.pages, await new_factor_owner(owner.pages)
    await request(pages, owner.email)
    code = "000000" if pages.code() != "000000" else "111111"
    expected = (400, Counter(GetItem=1, BatchGetItem=1, verify=1, UpdateItem=2), 0)
    for email, password in (
        (owner.email, PASSWORD),
        (owner.email, "wrong password"),
        (without_factor.email, PASSWORD),
        (new_address(), PASSWORD),
    ):
        assert await work_of(pages, monkeypatch, confirm(pages, email, code, password)) == expected


class _Counting:
    """A hasher that counts."""

    def __init__(self, hasher: Any, hashes: Counter[str]) -> None:
        self._hasher = hasher
        self._hashes = hashes

    def verify(self, stored: str, password: str) -> bool:
        self._hashes["verify"] += 1
        return self._hasher.verify(stored, password)


def without_id(error: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in error.items() if name != "request_id"}
