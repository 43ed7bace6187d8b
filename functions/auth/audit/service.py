"""Reads of the audit log."""

from callmissed.audit.events import StoredEvent, stored_event_of
from callmissed.aws.database import Database
from callmissed.platform.tables import AUDIT


class AuditLog:
    """The audit log of one stage. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, tenant: str, limit: int) -> list[StoredEvent]:
        """The newest events of the tenant."""
        page = await self._database.page(AUDIT, tenant, newest_first=True, limit=limit, consistent=True)
        return [stored_event_of(item) for item in page.items]
