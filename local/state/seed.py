"""The developer's tenant, with credits, a live key, a test key, and an owner to sign in as."""

import secrets
from contextlib import suppress
from dataclasses import dataclass, replace

from callmissed.aws.database import Database
from callmissed.clock import Clock, iso, system_clock
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.integrations.credentials import Credentials
from callmissed.integrations.repository import Integrations
from callmissed.keys.management import KeyManager
from callmissed.keys.policy import ANY, KeyPolicy
from callmissed.keys.records import read_key_item
from callmissed.keys.secret import Mode, key_hash
from callmissed.ledger.grants import grant
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan, limits
from callmissed.platform.routes import Role
from callmissed.sealing import Sealer
from callmissed.tenants.tenants import create_tenant, get_tenant
from callmissed.tenants.users import User, add_owner
from functions.auth.sign_in.passwords import hash_password

CREDITS = 1_000
_TENANT_NAME = "Local stack"


@dataclass(frozen=True, slots=True)
class SeededTenant:
    """A tenant with one live and one test key, and its owner if it has one."""

    tenant: str
    live_key: str
    test_key: str
    owner_email: str = ""
    owner_password: str = ""


class Seeder:
    """Seeds one stage. `pepper` is the current one. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, pepper: bytes, clock: Clock = system_clock) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock

    async def create_tenant(
        self,
        name: str = _TENANT_NAME,
        *,
        plan: Plan = Plan.PRO,
        credits: int = CREDITS,
        policy: KeyPolicy | None = None,
    ) -> SeededTenant:
        """A new tenant on `plan` with `credits`, and keys with `policy`, by default all scopes at the plan's rate."""
        now = self._clock()
        tenant = (await create_tenant(self._database, name=name, plan=plan, now=now)).tenant_id
        amount = credits * CREDIT
        await grant(self._database, tenant=tenant, amount=MicroCredits(amount), operation_id="seed", now=now)
        policy = policy or _policy(plan)
        live, test = [await self._key(tenant, mode, policy) for mode in (Mode.LIVE, Mode.TEST)]
        return SeededTenant(tenant, live, test)

    async def add_owner(self, seeded: SeededTenant) -> SeededTenant:
        """`seeded` with an owner who has a random password."""
        email, password = f"owner-{seeded.tenant[-6:]}@example.com", secrets.token_urlsafe(12)
        moment = iso(self._clock())
        owner = User(
            tenant=seeded.tenant,
            user_id=new_id("usr"),
            email=email,
            full_name="Owner",
            role=Role.OWNER,
            created_at=moment,
            updated_at=moment,
            confirmed=True,
            password=hash_password(password),
        )
        await self._database.transact(add_owner(owner))
        return replace(seeded, owner_email=email, owner_password=password)

    async def connect(self, seeded: SeededTenant, credentials: Credentials, sealer: Sealer) -> None:
        """Save `credentials`, unless the tenant has others of the provider, or another tenant has the account."""
        integrations = Integrations(self._database)
        if await integrations.get(seeded.tenant, credentials.provider) is None:
            with suppress(ApiError):
                await integrations.save(seeded.tenant, credentials, sealer, self._clock())

    async def renew_keys(self, seeded: SeededTenant) -> SeededTenant | None:
        """`seeded` with new keys for those that no longer work; None when the tenant does not exist.

        A tenant of an earlier version, whose record lacks what today's have, counts as none.
        """
        try:
            record = await get_tenant(self._database, seeded.tenant)
        except (ApiError, KeyError):
            return None
        policy = _policy(record.plan)
        keys = ((Mode.LIVE, seeded.live_key), (Mode.TEST, seeded.test_key))
        live, test = [
            key if await self._works(key) else await self._key(seeded.tenant, mode, policy) for mode, key in keys
        ]
        return replace(seeded, live_key=live, test_key=test)

    async def _key(self, tenant: str, mode: Mode, policy: KeyPolicy) -> str:
        manager = KeyManager(self._database, self._pepper)
        created = await manager.create(tenant, name=f"seeded {mode}", mode=mode, policy=policy, now=self._clock())
        return created.secret

    async def _works(self, secret: str) -> bool:
        key = await read_key_item(self._database, key_hash(self._pepper, secret))
        # Keys that were seeded before scopes existed have none.
        return key is not None and key.works(self._clock()) and bool(key.scopes)


def _policy(plan: Plan) -> KeyPolicy:
    return KeyPolicy(rpm=limits(plan).default_rpm, scopes=ANY)
