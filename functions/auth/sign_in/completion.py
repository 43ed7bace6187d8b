"""The end of every sign-in: checks of person and tenant, then the second factor, or a session with its audit row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.sessions.authenticate import check_tenant
from callmissed.tenants.tenants import Tenant
from callmissed.tenants.users import User
from functions.auth.sessions.service import Sessions, TokenPair
from functions.auth.sign_in.second_factor import SecondFactorChallenge, SecondFactors


class SignInMethod(StrEnum):
    """How somebody has proven who they are; audit rows name it."""

    REGISTRATION = "registration"
    PASSWORD = "password"  # noqa: S105  a method's name
    CODE = "code"
    RESET = "reset"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who has just signed in."""

    user: User
    pair: TokenPair
    is_new_user: bool = False


@dataclass(frozen=True, slots=True)
class SecondFactorNeeded:
    """A person who must answer a challenge before there are tokens."""

    user: User
    challenge: SecondFactorChallenge


Outcome = SignedIn | SecondFactorNeeded


class SignInCompletion:
    """Completes sign-ins. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, sessions: Sessions, second_factors: SecondFactors) -> None:
        self._database = database
        self._sessions = sessions
        self._second_factors = second_factors

    async def complete(
        self,
        user: User,
        tenant: Tenant,
        method: str,
        client: Actor,
        now: Micros,
        *,
        operations: Sequence[WriteOperation] = (),
    ) -> Outcome:
        """Sign in, or ask for the second factor; `operations` are executed either way.

        Raises ApiError 403, TransactionCanceled when a condition of an operation does not hold.
        """
        check_may_sign_in(user, tenant)
        if not user.second_factor:
            return await self.begin(user, method, client, now, operations=operations)
        if operations:
            await self._database.transact(operations)
        return SecondFactorNeeded(user, await self._second_factors.challenge(user, client, now))

    async def begin(
        self, user: User, method: str, client: Actor, now: Micros, *, operations: Sequence[WriteOperation] = ()
    ) -> SignedIn:
        """Begin a session, in one transaction with `operations`. Raises TransactionCanceled as `complete`."""
        pair, begun = self._sessions.begin(user, client, now)
        actor = replace(client, actor_id=user.user_id)
        event = AuditEvent(user.tenant, "session.begin", "user", user.user_id, actor, {"method": str(method)})
        await self._database.transact([*operations, begun, audit_operation(event, now)])
        return SignedIn(user, pair)


def check_may_sign_in(user: User, tenant: Tenant) -> None:
    """Raise ApiError 403 for a deactivated person, and for the people of a tenant that is not active.

    The owner who has deactivated the tenant may sign in, and reactivate it.
    """
    if not user.is_active:
        raise ApiError(403, "account_deactivated", "This account has been deactivated.")
    check_tenant(tenant, user.role, while_inactive=True)
