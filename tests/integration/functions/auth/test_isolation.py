"""Every route of people: which credentials open it, and that a foreign id reads like none."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from callmissed.clock import SECOND, Micros, system_clock
from callmissed.keys.secret import Mode
from callmissed.platform.functions import AUTH_API
from callmissed.platform.routes import ROUTES, Auth, Role, Route
from callmissed.platform.tables import TENANTS
from callmissed.sessions.tokens import LIFETIME_SECONDS
from callmissed.settings import CoreSettings
from callmissed.tenants.status import TenantStatus
from callmissed.tenants.users import user_key
from functions.auth.tenant.key_status import apply_status
from local.aws.tables import StageTables
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.billing.gateway_account import GATEWAY_ACCOUNT
from tests.support.inference.gateway import PEPPER, Accounts
from tests.support.people import BROWSER, SignedIn, new_member, new_tenant, set_status, sign_in
from tests.support.sign_in import CONSOLE
from tests.support.webhooks.callbacks import SEALING
from tests.support.whole_product import Reply, Sent, WholeProduct

SERVED = [route for route in ROUTES if route.function == AUTH_API.name and route.auth is not Auth.OPERATOR]
OF_PEOPLE = [route for route in ROUTES if route.auth is Auth.SESSION]
OF_BOTH = [route for route in ROUTES if route.auth is Auth.ACCOUNT]
WITH_IDS = [route for route in SERVED if "{" in route.path]

OPENED = "opened"
BODIES = {
    "PATCH /api/v1/auth/passkey/{passkey_id}": b'{"name": "mine"}',
    "PATCH /api/v1/users/{user_id}/role": b'{"role": "agent"}',
}
"""Bodies without which a route would not look for the id."""
Credential = Callable[["Cast"], Awaitable[str]]


class Cast:
    """Everybody who calls a route in the matrix."""

    def __init__(self, product: WholeProduct, accounts: Accounts) -> None:
        self.product = product
        self.accounts = accounts

    async def owner(self) -> str:
        return (await new_tenant(self.product)).tokens.access

    async def admin(self) -> str:
        return (await new_member(await new_tenant(self.product), Role.ADMIN)).tokens.access

    async def agent(self) -> str:
        return (await new_member(await new_tenant(self.product), Role.AGENT)).tokens.access

    async def nobody(self) -> str:
        return ""

    async def forged(self) -> str:
        head, _, _ = (await self.owner()).rpartition(".")
        return f"{head}.{'A' * 86}"

    async def expired(self) -> str:
        owner = await new_tenant(self.product)
        earlier = Micros(self.product.clock() - (LIFETIME_SECONDS + 1) * SECOND)
        tokens, begun = self.product.people.sessions.begin(owner.user, BROWSER, earlier)
        await self.product.database.transact([begun])
        return tokens.access

    async def signed_out(self) -> str:
        owner = await new_tenant(self.product)
        await self.product.people.sessions.sign_out(owner.tokens.refresh, BROWSER, self.product.clock())
        return owner.tokens.access

    async def of_an_earlier_generation(self) -> str:
        owner = await new_tenant(self.product)
        return (await sign_in(self.product, replace(owner.user, generation=owner.user.generation + 1))).tokens.access

    async def deactivated(self) -> str:
        owner = await new_tenant(self.product)
        member = await new_member(owner, Role.ADMIN)
        key = user_key(member.tenant, member.user.user_id)
        await self.product.database.update_if(TENANTS, key, set={"is_active": False})
        return member.tokens.access

    async def demoted(self) -> str:
        member = await new_member(await new_tenant(self.product), Role.ADMIN)
        key = user_key(member.tenant, member.user.user_id)
        await self.product.database.update_if(TENANTS, key, set={"role": str(Role.AGENT)})
        return member.tokens.access

    async def suspended(self) -> str:
        return await self._of_tenant(TenantStatus.SUSPENDED)

    async def owner_of_a_deactivated_tenant(self) -> str:
        return await self._of_tenant(TenantStatus.DEACTIVATED)

    async def deleting(self) -> str:
        return await self._of_tenant(TenantStatus.DELETING)

    async def live_key(self) -> str:
        return (await self.accounts.account(scopes=frozenset({"*"}))).secret

    async def sandbox_key(self) -> str:
        return (await self.accounts.account(mode=Mode.TEST, scopes=frozenset({"*"}))).secret

    async def key_of_a_suspended_tenant(self) -> str:
        return await self._key_of_tenant(TenantStatus.SUSPENDED)

    async def key_of_a_deleting_tenant(self) -> str:
        return await self._key_of_tenant(TenantStatus.DELETING)

    async def _key_of_tenant(self, status: TenantStatus) -> str:
        account = await self.accounts.account(scopes=frozenset({"*"}))
        await set_status(self.product, account.tenant, status)
        await apply_status(self.product.database, account.tenant, status)
        return account.secret

    async def _of_tenant(self, status: TenantStatus) -> str:
        owner = await new_tenant(self.product)
        await set_status(self.product, owner.tenant, status)
        return owner.tokens.access


def of_role(role: Role) -> Callable[[Route], str]:
    return lambda route: OPENED if role in route.roles else "permission_denied"


def always(code: str) -> Callable[[Route], str]:
    return lambda _route: code


def by_a_key(outcome: str = OPENED) -> Callable[[Route], str]:
    return lambda route: outcome if route.auth is Auth.ACCOUNT else "invalid_api_key"


LIVE_ONLY = (
    "/api/v1/whatsapp/onboarding/manual",
    "/api/v1/whatsapp/onboarding/exchange",
    "/api/v1/conversations/{conversation_id}/ai-draft",
)
"""Routes that reach a provider, or spend credits, where there is no sandbox."""


def by_a_test_key(route: Route) -> str:
    return "permission_denied" if route.path in LIVE_ONLY else by_a_key()(route)


MATRIX: dict[str, tuple[Credential, Callable[[Route], str]]] = {
    "owner": (Cast.owner, of_role(Role.OWNER)),
    "admin": (Cast.admin, of_role(Role.ADMIN)),
    "agent": (Cast.agent, of_role(Role.AGENT)),
    "demoted to agent": (Cast.demoted, of_role(Role.AGENT)),
    "nobody": (Cast.nobody, always("invalid_api_key")),
    "forged": (Cast.forged, always("invalid_api_key")),
    "expired": (Cast.expired, always("token_expired")),
    "signed out": (Cast.signed_out, always("invalid_api_key")),
    "earlier generation": (Cast.of_an_earlier_generation, always("invalid_api_key")),
    "deactivated person": (Cast.deactivated, always("invalid_api_key")),
    "suspended tenant": (Cast.suspended, always("account_inactive")),
    "deleting tenant": (Cast.deleting, always("account_terminated")),
    "owner of a deactivated tenant": (
        Cast.owner_of_a_deactivated_tenant,
        lambda route: OPENED if route.while_inactive else "account_inactive",
    ),
    "live key": (Cast.live_key, by_a_key()),
    "test key": (Cast.sandbox_key, by_a_test_key),
    "key of a suspended tenant": (Cast.key_of_a_suspended_tenant, by_a_key("account_inactive")),
    "key of a deleting tenant": (Cast.key_of_a_deleting_tenant, by_a_key("account_terminated")),
}


@pytest.fixture(autouse=True)
def payment_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one, payments are answered with 503."""
    for name, value in GATEWAY_ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables) -> AsyncIterator[WholeProduct]:
    settings = CoreSettings(
        stage=module_tables.stage,
        region="us-east-1",
        dynamodb_endpoint=module_tables.endpoint,
        peppers=PEPPER.hex(),
        sealing_keys=SEALING,
        console_url=CONSOLE,
    )
    product = WholeProduct(settings, system_clock)
    yield product
    await product.close()


@pytest_asyncio.fixture(scope="module")
async def cast(product: WholeProduct) -> Cast:
    return Cast(product, Accounts(product.dynamodb, product.database.stage))


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def request_of(route: Route, secret: str, **ids: str) -> Sent:
    path = route.path
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    path = path.replace("{", "").replace("}", "")
    headers = [("Content-Type", "application/json"), *([("Authorization", f"Bearer {secret}")] if secret else [])]
    return Sent(route.method, path, headers, b"" if route.method == "GET" else BODIES.get(name_of(route), b"{}"))


@pytest.mark.parametrize("credential", MATRIX)
async def test_credential_opens_the_routes_that_it_should(cast: Cast, product: WholeProduct, credential: str) -> None:
    present, expected = MATRIX[credential]

    async def outcome(route: Route) -> str:
        reply = await product.through_local_gateway(request_of(route, await present(cast)))
        assert reply.status < 500, (route, reply.body)
        return str(reply.error["code"]) if reply.status in (401, 403) else OPENED

    routes = [*OF_PEOPLE, *OF_BOTH]
    assert {name_of(route): await outcome(route) for route in routes} == {
        name_of(route): expected(route) for route in routes
    }


@pytest.mark.parametrize("route", WITH_IDS, ids=name_of)
async def test_foreign_id_reads_like_none(product: WholeProduct, route: Route) -> None:
    owner, stranger = await new_tenant(product), await new_tenant(product)
    ids = await ids_of(owner)

    async def asked(**ids: str) -> Reply:
        return await product.through_local_gateway(request_of(route, stranger.tokens.access, **ids))

    foreign = await asked(**ids)
    none = await asked(**{name: f"{value[:4]}{'0' * 24}" for name, value in ids.items()})
    impossible = await asked(**{name: value + "0" * 1100 for name, value in ids.items()})

    assert foreign.status == 404
    assert without_id(foreign.body) == without_id(none.body) == without_id(impossible.body)


async def ids_of(owner: SignedIn) -> dict[str, str]:
    """Ids of one of everything that a tenant has, by the name of the parameter."""
    created = await owner.call("POST", "/api/v1/keys", {"name": "mine"})
    sessions = await owner.call("GET", "/api/v1/auth/sessions")
    events = await owner.call("GET", "/api/v1/audit/events")
    begun = json.loads((await owner.call("POST", "/api/v1/auth/passkey/register/options", {})).body)
    credential = SoftwareAuthenticator(CONSOLE).create(begun["options"])
    query = f"registration_token={begun['registration_token']}"
    passkey = await owner.call("POST", "/api/v1/auth/passkey/register/verify", {"credential": credential}, query=query)
    return {
        "key_id": json.loads(created.body)["id"],
        "session_id": json.loads(sessions.body)[0]["id"],
        "passkey_id": json.loads(passkey.body)["id"],
        "user_id": (await new_member(owner, Role.AGENT)).user.user_id,
        "event_id": json.loads(events.body)[0]["id"],
    }


def without_id(body: bytes) -> object:
    error = json.loads(body)["error"]
    return {name: value for name, value in error.items() if name != "request_id"}


def test_every_parameter_has_an_id_in_the_walk() -> None:
    named = {part[1:-1] for route in WITH_IDS for part in route.path.split("/") if part.startswith("{")}
    assert named == {"event_id", "key_id", "session_id", "passkey_id", "user_id"}
