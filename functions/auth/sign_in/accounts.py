"""Accounts: what an address leads to, and the creation of a tenant with its owner and the sign-up bonus."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.ledger.grants import had_signup_bonus, signup_bonus_operations
from callmissed.money import NOTHING, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.routes.route import Role
from callmissed.platform.tables import TENANTS
from callmissed.tenants.identity import identity_hash
from callmissed.tenants.tenants import Tenant, create_tenant_operations, tenant_key, tenant_of
from callmissed.tenants.users import (
    Registration,
    User,
    claim_address,
    find_address,
    put_user,
    user_key,
    user_of,
)
from functions.auth.sessions.service import Sessions
from functions.auth.sign_in.completion import SignedIn

_NOBODY = "-"
_TRIES = 2


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """What an address leads to: a person with a tenant, or what was registered, or nothing."""

    identity: str
    user: User | None = None
    tenant: Tenant | None = None
    pending: Registration | None = None

    @property
    def password(self) -> str:
        """The hash of the password, empty where there is none."""
        if self.user:
            return self.user.password
        return self.pending.password if self.pending else ""


class Accounts:
    """Finds and creates accounts. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, sessions: Sessions, bonus: MicroCredits) -> None:
        self._database = database
        self._sessions = sessions
        self._bonus = bonus

    async def find(self, identity: str, now: Micros) -> FoundAccount:
        """The account of an address. Two reads, also where there is none."""
        address = await find_address(self._database, identity, now)
        owner, user_id = address.tenant or _NOBODY, address.user_id or _NOBODY
        user, tenant = await self._database.get_across(
            (TENANTS, user_key(owner, user_id)), (TENANTS, tenant_key(owner))
        )
        if not user or not tenant:
            return FoundAccount(identity, pending=address.pending)
        return FoundAccount(identity, user_of(user), tenant_of(tenant))

    async def create(
        self,
        identity: str,
        wanted: Registration,
        client: Actor,
        now: Micros,
        *,
        method: str,
        operations: Sequence[WriteOperation] = (),
        replaces: bool = False,
    ) -> SignedIn:
        """The owner of a new tenant, signed in: all in one transaction with the bonus and `operations`.

        `wanted` must be what is registered with the address, unless it `replaces` that.
        Raises TransactionCanceled when the address or an operation's condition has changed.
        """
        user = _owner(identity, wanted, now)
        pair, begun = self._sessions.begin(user, client, now)
        actor = replace(client, actor_id=user.user_id)
        event = AuditEvent(user.tenant, "user.register", "user", user.user_id, actor, {"method": str(method)})
        fixed = [
            *operations,
            claim_address(user, None if replaces else wanted),
            put_user(user),
            begun,
            audit_operation(event, now),
        ]
        await self._create_tenant(user, wanted.tenant_name, fixed, now)
        return SignedIn(user, pair, is_new_user=replaces)

    async def _create_tenant(self, user: User, name: str, fixed: Sequence[WriteOperation], now: Micros) -> None:
        """Execute `fixed` with the new tenant, and with the bonus unless the address had one."""
        tenant = Tenant(user.tenant, name, Plan.FREE, iso(now), owner=user.user_id)
        beneficiary = identity_hash(user.email)
        for last in range(_TRIES):
            bonus = NOTHING if await had_signup_bonus(self._database, beneficiary) else self._bonus
            granted = signup_bonus_operations(user.tenant, bonus, beneficiary, now) if bonus else []
            created = create_tenant_operations(tenant, now, bonus=bonus)
            try:
                await self._database.transact([*fixed, *created, *granted])
            except TransactionCanceled as cancelled:
                # The same address may have had its bonus since the read; every other reason stays.
                if last == _TRIES - 1 or not granted or cancelled.reasons[-len(granted)] == "None":
                    raise
            else:
                return


def _owner(identity: str, wanted: Registration, now: Micros) -> User:
    return User(
        tenant=new_id("tnt"),
        user_id=new_id("usr"),
        email=identity,
        full_name=wanted.full_name,
        role=Role.OWNER,
        created_at=iso(now),
        updated_at=iso(now),
        phone_number=wanted.phone_number,
        confirmed=True,
        password=wanted.password,
    )


def account_changed() -> ApiError:
    """409: another request changed the account at the same time."""
    return ApiError(409, "conflict", "The account changed at the same time. Please retry.")
