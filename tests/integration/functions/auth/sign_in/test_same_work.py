"""Nobody learns from an answer, or from its work, whether an address has an account."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from callmissed.clock import SECOND
from callmissed.platform.tables import AUDIT, TENANTS
from callmissed.tenants.users import address_key, user_key
from functions.auth.sign_in.attempts import ATTEMPTS, MAX_RECORDED, NOBODY
from local.aws.tables import StageTables
from tests.support.counting import CountingDynamoDB
from tests.support.sign_in import PASSWORD, SettableClock, SignInPages, new_address, settings_of
from tests.support.whole_product import WholeProduct


@dataclass(frozen=True)
class Work:
    """What a caller sees of a request, and what the request costs."""

    status: int
    body: str
    operations: tuple[str, ...]
    hashes: int
    messages: int


class CountingPages(SignInPages):
    """The pages of a product whose requests to DynamoDB and hashes are counted."""

    def __init__(self, product: WholeProduct, clock: SettableClock, dynamodb: CountingDynamoDB) -> None:
        super().__init__(product, clock)
        self._dynamodb = dynamodb

    async def work(self, path: str, body: Mapping[str, Any]) -> Work:
        count, messages = self._dynamodb.restart(), len(self.queued)
        with pytest.MonkeyPatch.context() as patch:
            hashed: list[str] = []
            counted(patch, hashed)
            reply = await self.post(path, body)
        return Work(
            reply.status,
            shown(reply.body),
            tuple(sorted(count.operations)),
            len(hashed),
            len(self.queued) - messages,
        )


def counted(patch: pytest.MonkeyPatch, hashed: list[str]) -> None:
    """Note each Argon2 hash."""
    make, verify = PasswordHasher.hash, PasswordHasher.verify

    def counting_hash(hasher: PasswordHasher, password: str) -> str:
        hashed.append("hash")
        return make(hasher, password)

    def counting_verify(hasher: PasswordHasher, stored: str, password: str) -> bool:
        hashed.append("verify")
        return verify(hasher, stored, password)

    patch.setattr(PasswordHasher, "hash", counting_hash)
    patch.setattr(PasswordHasher, "verify", counting_verify)


def shown(content: bytes) -> str:
    """The body without what differs in every answer."""
    body = json.loads(content)
    for part in (body, body.get("error", {})):
        part.pop("request_id", None)
        part.pop("email", None)
    return json.dumps(body)


@pytest_asyncio.fixture(scope="module")
async def pages(module_tables: StageTables) -> AsyncIterator[CountingPages]:
    settings, clock = settings_of(module_tables), SettableClock()
    dynamodb = CountingDynamoDB(settings.region, module_tables.endpoint)
    product = WholeProduct(settings, clock, dynamodb=dynamodb)
    yield CountingPages(product, clock, dynamodb)
    await product.close()


async def existing(pages: SignInPages) -> str:
    email = new_address()
    await pages.account(email)
    return email


async def without_password(pages: SignInPages) -> str:
    return await changed(pages, password="")


async def deactivated(pages: SignInPages) -> str:
    return await changed(pages, is_active=False)


async def unconfirmed(pages: SignInPages) -> str:
    email = new_address()
    await pages.registered(email)
    return email


async def unknown(_pages: SignInPages) -> str:
    return new_address()


async def changed(pages: SignInPages, **changes: Any) -> str:
    email = await existing(pages)
    address = await pages.database.get(TENANTS, address_key(email))
    await pages.database.update_if(TENANTS, user_key(address["owner"], address["user_id"]), set=changes)
    return email


STATES: list[Callable[[SignInPages], Awaitable[str]]] = [existing, without_password, deactivated, unconfirmed, unknown]

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "wrong password": ("login", {"password": "wrong"}),
    "registration": ("register", {"password": PASSWORD, "full_name": "Ada"}),
    "code to sign in": ("otp/send", {"purpose": "login"}),
    "code to reset": ("otp/send", {"purpose": "reset"}),
    "code to confirm": ("otp/send", {"purpose": "register"}),
    "wrong code": ("otp/login", {"code": "000000"}),
    "wrong code to confirm": ("register/verify", {"code": "000000"}),
    "wrong code to reset": ("reset-password", {"code": "000000", "new_password": PASSWORD}),
}


@pytest.mark.parametrize("case", REQUESTS)
async def test_answer_and_work_are_the_same_for_every_address(pages: CountingPages, case: str) -> None:
    path, form = REQUESTS[case]
    emails = {state.__name__: await state(pages) for state in STATES}
    pages.clock.pass_seconds(3601)  # the mails of the set-up don't count

    works = {name: await pages.work(path, {"email": email, **form}) for name, email in emails.items()}

    assert len(set(works.values())) == 1, works


async def test_attempts_of_an_address_are_limited_over_all_networks(pages: CountingPages) -> None:
    email, form = new_address(), {"code": "000000"}
    for _ in range(99):
        await pages.product.people.windows.count(ATTEMPTS, email, pages.clock.now)

    replies = [await pages.post("otp/login", {"email": email, **form}) for _ in range(2)]
    pages.clock.pass_seconds(3601)
    replies.append(await pages.post("otp/login", {"email": email, **form}))

    assert [reply.status for reply in replies] == [400, 429, 400]
    assert replies[1].headers["retry-after"] == "3600"


async def test_refused_attempts_leave_a_bounded_number_of_audit_rows(pages: CountingPages) -> None:
    email = await existing(pages)
    tenant = (await pages.database.get(TENANTS, address_key(email)))["owner"]
    for _ in range(MAX_RECORDED + 5):
        await pages.post("otp/login", {"email": email, "code": "000000"})

    rows = [metadata for action, metadata in await pages.actions(tenant) if action == "session.refuse"]

    assert rows == [{"method": "code", "reason": "wrong code"}] * MAX_RECORDED


async def test_refused_attempts_about_no_account_name_no_address_and_go_after_a_day(pages: CountingPages) -> None:
    email = new_address()
    await pages.post("otp/login", {"email": email, "code": "000000"})

    rows = [item async for item in pages.database.query(AUDIT, NOBODY, consistent=True)]

    assert rows and email not in str(rows)
    assert max(row["ttl"] for row in rows) <= pages.clock.now // SECOND + 24 * 3600


async def test_password_is_hashed_anew_when_the_parameters_rise(pages: CountingPages) -> None:
    email = await existing(pages)
    address = await pages.database.get(TENANTS, address_key(email))
    key = user_key(address["owner"], address["user_id"])
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await pages.database.update_if(TENANTS, key, set={"password": weak})

    assert (await pages.login(email)).status == 200
    first = (await pages.database.get(TENANTS, key))["password"]
    assert (await pages.login(email)).status == 200

    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await pages.database.get(TENANTS, key))["password"] == first
