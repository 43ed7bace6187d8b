"""An endpoint's health: the breaker, and the end of a webhook whose endpoint is gone.

After `_TRIPS_AT` failed attempts in a row nothing is sent for a while, and then one attempt at a time, until one
succeeds (the circuit breaker pattern, https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker). The
pauses grow with the time for which the endpoint has failed. Five days of nothing but failure disable the webhook.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.dynamodb import ConditionFailed, TransactionCanceled
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.clock import MINUTE, SECOND, iso
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import WebhookDisabled
from callmissed.observability import count
from callmissed.platform.tables import WEBHOOKS
from functions.webhooks.storage.records import Endpoint, webhook_key
from functions.webhooks.storage.repository import Store

PATIENCE = 5 * 24 * 3600 * SECOND
"""Time of nothing but failure, in microseconds, after which a webhook is disabled."""

_TRIPS_AT = 5
_SHORTEST_PAUSE = 30 * SECOND
_LONGEST_PAUSE = 5 * MINUTE
_PROBE_TAKES = 15 * SECOND


class Off(StrEnum):
    """Why we disabled a webhook."""

    FAILING = "failing"
    GONE = "gone"


class Health:
    """Keeps the health of one stage's webhooks. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def may_probe(self, endpoint: Endpoint, webhook: Mapping[str, Any], now: int) -> bool:
        """Whether this attempt is the one that may be made although the breaker has tripped. One wins."""
        seen = webhook["open"]
        return now >= seen and await self._store.change(
            WEBHOOKS, webhook_key(endpoint), {"open": now + _PROBE_TAKES}, {"open": seen}
        )

    async def succeeded(self, endpoint: Endpoint, webhook: Mapping[str, Any]) -> bool:
        """Forget earlier failures; True when the breaker had tripped."""
        if not webhook.get("cf"):
            return False
        await self._store.change(WEBHOOKS, webhook_key(endpoint), {"cf": 0}, {}, gone=("ff", "open"))
        return "open" in webhook

    async def failed(self, endpoint: Endpoint, now: int) -> int:
        """Count a failed attempt. The moment until which this one tripped the breaker, 0 if it did not."""
        try:
            webhook = await self._count_failure(endpoint, now)
        except ConditionFailed:
            return 0  # the webhook was deleted
        if webhook.get("ff", now) <= now - PATIENCE:
            await self.disable(endpoint, webhook, Off.FAILING, now)
            return 0
        if webhook.get("cf", 0) < _TRIPS_AT:
            return 0
        until = now + min(max((now - webhook["ff"]) // 2, _SHORTEST_PAUSE), _LONGEST_PAUSE)
        return until if await self._trip(endpoint, webhook, until, now) else 0

    async def disable(self, endpoint: Endpoint, webhook: Mapping[str, Any], why: Off, now: int) -> None:
        """Disable the webhook as it was seen, and tell the tenant's others, both or neither. Safe to repeat."""
        since = webhook.get("ff")
        told = WebhookDisabled(
            webhook_id=endpoint.webhook,
            url=webhook["url"],
            reason=why.value,
            failing_since=iso(since) if since else None,
            disabled_at=iso(now),
        )
        operations = [
            _disabling(endpoint, webhook["url"], why, now),
            publish_operation(new_event(endpoint.tenant, told, now)),
        ]
        try:
            await self._store.database.transact(operations)
        except TransactionCanceled:
            return  # it is off already, has moved, or was deleted
        count("EndpointDisabled")

    async def _count_failure(self, endpoint: Endpoint, now: int) -> Item:
        key, counted = webhook_key(endpoint), {"cf": 1}
        return await self._store.database.update(WEBHOOKS, key, add=counted, set_missing={"ff": now})

    async def _trip(self, endpoint: Endpoint, webhook: Mapping[str, Any], until: int, now: int) -> bool:
        """Whether it was this failure that tripped the breaker, or tripped it anew."""
        if webhook.get("open", 0) > now + _PROBE_TAKES:
            return False
        seen = {"open": webhook["open"]} if "open" in webhook else {}
        absent = () if seen else ("open",)
        return await self._store.change(WEBHOOKS, webhook_key(endpoint), {"open": until}, seen, absent=absent)


def _disabling(endpoint: Endpoint, url: str, why: Off, now: int) -> WriteOperation:
    """`rev` moves on: an owner who saw the webhook active has to look again."""
    off = {"active": False, "off": why.value, "off_at": now, "updated_at": now}
    expected = {"active": True, "url": url}
    return update_operation(
        WEBHOOKS, webhook_key(endpoint), set=off, add={"rev": 1}, remove=("open",), expected=expected
    )
