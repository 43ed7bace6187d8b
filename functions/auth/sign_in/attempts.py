"""Attempts to sign in: their limit for each address, and the audit rows of those that were refused.

Both cost the same whether the address has an account.
"""

from dataclasses import dataclass

from callmissed.audit.events import RETENTION_DAYS, Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.rate_limits import Limit, SlidingWindows
from callmissed.tenants.users import User

ATTEMPTS = Limit("sign-in", 100, 3600)
"""Attempts for one address, over all networks."""
NOBODY = "@nobody"
"""Instead of a tenant in the audit rows of attempts that are about no account."""
MAX_RECORDED = 10
"""Attempts of one address in an hour that leave an audit row when they are refused."""


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """One attempt, the `number`-th of its address within an hour."""

    identity: str
    method: str
    client: Actor
    number: int
    now: Micros


class SignInAttempts:
    """Counts attempts, over all networks that they come from. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, windows: SlidingWindows) -> None:
        self._database = database
        self._windows = windows

    async def begin(self, identity: str, method: str, client: Actor, now: Micros) -> SignInAttempt:
        """Count an attempt. Raises ApiError 429 above 100 an hour."""
        return SignInAttempt(identity, method, client, await self._windows.count(ATTEMPTS, identity, now), now)

    async def refuse(self, attempt: SignInAttempt, user: User | None, reason: str) -> None:
        """Leave an audit row with the tenant; where there is no account, an equal row that is nobody's, for a day."""
        if attempt.number > MAX_RECORDED:
            return
        metadata = {"method": str(attempt.method), "reason": reason}
        tenant, user_id = (user.tenant, user.user_id) if user else (NOBODY, "-")
        event = AuditEvent(tenant, "session.refuse", "user", user_id, attempt.client, metadata)
        await self._database.write_if(audit_operation(event, attempt.now, kept_days=RETENTION_DAYS if user else 0))
