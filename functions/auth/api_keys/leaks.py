"""Keys that were found where they should not be, such as in a public repository.

Whoever shows a key's secret has proven that it leaked, so the key is revoked, without more questions.
"""

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.keys.management import KeyManager
from callmissed.keys.records import REVOKED, ApiKey, KeyItem, read_key_items
from callmissed.keys.secret import is_well_formed, key_hash
from callmissed.observability import get_logger
from callmissed.tenants.tenants import get_tenant
from callmissed.tenants.users import get_user
from functions.auth.api_keys.audit import key_audit
from functions.auth.mail.jobs import MailJob
from functions.auth.mail.outlet import MailOutlet

_REPORT = "leaked-key-report"
_logger = get_logger("auth")


class LeakedKeys:
    """Revokes leaked keys, under any of the live `peppers`. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, manager: KeyManager, peppers: tuple[bytes, ...], mails: MailOutlet) -> None:
        self._database = database
        self._manager = manager
        self._peppers = peppers
        self._mails = mails

    async def report(self, secret: str, ip_address: str, now: Micros) -> None:
        """Revoke the key of `secret` and mail the owner; nothing for a secret that works nowhere."""
        found = await self._find(secret.strip(), now)
        if found is None:
            return
        actor = Actor(ActorKind.SYSTEM, _REPORT, ip_address)
        audit = key_audit("key.leak", actor, now)
        revoked = await self._manager.revoke(found.tenant, found.key_id, now=now, audit=audit)
        _logger.warning("a leaked key was revoked", extra={"key": revoked.key_id})
        await self._mail(revoked)

    async def _find(self, secret: str, now: Micros) -> KeyItem | None:
        if not is_well_formed(secret):
            return None
        items = await read_key_items(self._database, [key_hash(pepper, secret) for pepper in self._peppers])
        return next((item for item in items if item.status != REVOKED and item.expires > now), None)

    async def _mail(self, key: ApiKey) -> None:
        owner = (await get_tenant(self._database, key.tenant, consistent=True)).owner
        if not owner:
            return
        user = await get_user(self._database, key.tenant, owner)
        parameters = {"full_name": user.full_name, "name": key.name, "masked": key.masked}
        # The key is revoked, and a repeated report would find nothing to revoke.
        await self._mails.report([MailJob("key_leaked", user.email, parameters)])
