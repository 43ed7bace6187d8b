"""People of tenants, signed in without the work of passwords, who call the product."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.clock import Clock, Micros, iso, system_clock
from callmissed.ids import new_id
from callmissed.plans.plans import UNLIMITED, Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import TENANTS
from callmissed.tenants.status import TenantStatus
from callmissed.tenants.tenants import Tenant, create_tenant_operations, tenant_key
from callmissed.tenants.users import User, add_user, claim_address, put_user
from functions.auth.sessions.service import TokenPair
from functions.auth.sign_in.passwords import hash_password
from local.aws.tables import StageTables
from tests.support.sign_in import PASSWORD, settings_of
from tests.support.whole_product import Reply, Sent, WholeProduct

BROWSER = Actor(ActorKind.PERSON, "", "203.0.113.7", "a browser")


@dataclass(frozen=True)
class SignedIn:
    """A person with a session, who calls `product`."""

    product: WholeProduct
    user: User
    tokens: TokenPair

    @property
    def tenant(self) -> str:
        return self.user.tenant

    async def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> Reply:
        """The reply of a deployed stage, or of API Gateway's refusal by the local one."""
        own = {"Authorization": f"Bearer {self.tokens.access}", "Content-Type": "application/json", **(headers or {})}
        content = b"" if body is None else json.dumps(body).encode()
        return await self.product.through_local_gateway(Sent(method, path, tuple(own.items()), content, query))


def product_of(tables: StageTables, clock: Clock = system_clock) -> WholeProduct:
    """The product on tables of a test. Close it."""
    return WholeProduct(settings_of(tables), clock)


async def new_tenant(product: WholeProduct, *, plan: Plan = Plan.PRO) -> SignedIn:
    """The owner of a new tenant."""
    now = product.clock()
    tenant = Tenant(new_id("tnt"), "Tests", plan, iso(now), owner=new_id("usr"))
    await product.database.transact(create_tenant_operations(tenant, now))
    user = _person(product, tenant.tenant_id, tenant.owner, Role.OWNER)
    await product.database.transact([put_user(user), claim_address(user)])
    return await sign_in(product, user)


async def new_member(owner: SignedIn, role: Role) -> SignedIn:
    """Another person of the owner's tenant."""
    product = owner.product
    user = _person(product, owner.tenant, new_id("usr"), role)
    await product.database.transact(add_user(user, UNLIMITED))
    return await sign_in(product, user)


async def sign_in(product: WholeProduct, user: User) -> SignedIn:
    """One more session of `user`."""
    tokens, begun = product.people.sessions.begin(user, BROWSER, product.clock())
    await product.database.transact([begun])
    return SignedIn(product, user, tokens)


async def set_status(product: WholeProduct, tenant: str, status: TenantStatus) -> None:
    """Change what a tenant may do."""
    await product.database.update_if(TENANTS, tenant_key(tenant), set={"status": str(status)})


def _person(product: WholeProduct, tenant: str, user_id: str, role: Role) -> User:
    moment = iso(product.clock())
    return User(tenant, user_id, f"{user_id}@example.com", "Ada", role, moment, moment, confirmed=True)


async def new_owner_with_password(database: Database, now: Micros) -> User:
    """The owner of a new tenant, who signs in with PASSWORD."""
    tenant = Tenant(new_id("tnt"), "Tests", Plan.PRO, iso(now), owner=new_id("usr"))
    moment, email = iso(now), f"{tenant.owner}@example.com"
    user = User(
        tenant.tenant_id, tenant.owner, email, "Ada", Role.OWNER, moment, moment, confirmed=True, password=_hash()
    )
    await database.transact([*create_tenant_operations(tenant, now), put_user(user), claim_address(user)])
    return user


@cache
def _hash() -> str:
    return hash_password(PASSWORD)
