"""The circuit breaker of an endpoint, and the disabling of a webhook whose endpoint answers 410 or fails for five days.

After `_MAX_FAILURES` failed attempts in a row the breaker opens: no attempts for a pause, then one probe per pause,
until one succeeds (https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker). The pauses grow
with the duration of the outage. Five days without a success disable the webhook.
"""

from callmissed.clock import MINUTE, SECOND, Micros, iso
from callmissed.events.outbox import new_event
from callmissed.events.types import WebhookDisabled
from callmissed.observability import count
from functions.webhooks.storage.records import DisabledReason, Endpoint, Webhook
from functions.webhooks.storage.repository import Repository

PATIENCE = 5 * 24 * 3600 * SECOND
"""Time without a success, in microseconds, after which a webhook is disabled."""

_MAX_FAILURES = 5
_MIN_PAUSE = 30 * SECOND
_MAX_PAUSE = 5 * MINUTE
_PROBE_TAKES = 15 * SECOND


class CircuitBreaker:
    """The circuit breakers of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: Repository) -> None:
        self._webhooks = repository.webhooks

    async def may_probe(self, webhook: Webhook, now: Micros) -> bool:
        """Whether this attempt is the probe of an open breaker. One process wins."""
        due = now >= (webhook.open_until or 0)
        return due and await self._webhooks.move_open_until(webhook, Micros(now + _PROBE_TAKES))

    async def record_success(self, webhook: Webhook) -> bool:
        """Forget earlier failures; True when the breaker was open."""
        if not webhook.consecutive_failures:
            return False
        await self._webhooks.forget_failures(webhook.endpoint)
        return webhook.open_until is not None

    async def record_failure(self, endpoint: Endpoint, now: Micros) -> Micros | None:
        """Count a failed attempt. Returns the moment until which it opened the breaker, or None."""
        webhook = await self._webhooks.count_failure(endpoint, now)
        if webhook is None:
            return None
        since = now if webhook.first_failure_at is None else webhook.first_failure_at
        if since <= now - PATIENCE:
            await self.disable(webhook, DisabledReason.FAILING, now)
            return None
        if (webhook.consecutive_failures or 0) < _MAX_FAILURES:
            return None
        until = Micros(now + min(max((now - since) // 2, _MIN_PAUSE), _MAX_PAUSE))
        return until if await self._open(webhook, until, now) else None

    async def disable(self, webhook: Webhook, reason: DisabledReason, now: Micros) -> None:
        """Disable the webhook unless it changed, and publish an event for the tenant's others. Safe to repeat."""
        since = webhook.first_failure_at
        data = WebhookDisabled(
            webhook_id=webhook.endpoint.webhook,
            url=webhook.url,
            reason=reason.value,
            failing_since=iso(since) if since else None,
            disabled_at=iso(now),
        )
        if await self._webhooks.disable(webhook, reason, now, new_event(webhook.endpoint.tenant, data, now)):
            count("EndpointDisabled")

    async def _open(self, webhook: Webhook, until: Micros, now: Micros) -> bool:
        """Whether this failure opened the breaker, or reopened it."""
        if (webhook.open_until or 0) > now + _PROBE_TAKES:
            return False
        return await self._webhooks.move_open_until(webhook, until)
