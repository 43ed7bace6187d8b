"""Mails that events of the bus cause. Today one: a webhook that was disabled is reported to the tenant's owner."""

import json
from collections.abc import Mapping
from typing import Any

from callmissed.aws.database import Database
from callmissed.clock import Clock
from callmissed.events.types import WebhookDisabled
from callmissed.platform.tables import OUTBOX, TENANTS
from callmissed.tenants.tenants import tenant_key, tenant_of
from callmissed.tenants.users import User, user_key, user_of
from functions.auth.mail.jobs import MailJob
from functions.auth.mail.quota import MailQuota

_NAME = "webhook_disabled"


class EventMails:
    """Turns events into mails. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, quota: MailQuota, clock: Clock) -> None:
        self._database = database
        self._quota = quota
        self._clock = clock

    async def mail_of(self, detail: Mapping[str, Any]) -> MailJob | None:
        """The mail that an event causes; None for one that causes none, or no more within this hour."""
        if detail["type"] != WebhookDisabled.event:
            return None
        stored = await self._database.get(OUTBOX, {"id": detail["id"]})
        owner = await self._owner(detail["tenant"])
        if not stored or owner is None or not await self._quota.count(_NAME, owner.email, self._clock()):
            return None
        data = json.loads(stored["body"])["data"]
        parameters = {
            "full_name": owner.full_name,
            "url": data["url"],
            "reason": data["reason"],
            "since": data.get("failing_since") or "",
        }
        return MailJob(_NAME, owner.email, parameters)

    async def _owner(self, tenant_id: str) -> User | None:
        tenant = await self._database.get(TENANTS, tenant_key(tenant_id))
        owner = tenant_of(tenant).owner if tenant else ""
        user = await self._database.get(TENANTS, user_key(tenant_id, owner)) if owner else {}
        return user_of(user) if user else None
