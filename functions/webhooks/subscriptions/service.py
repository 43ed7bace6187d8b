"""A tenant's webhooks: creating, changing, rotating, deleting.

Every change is conditional on the revision that it read, and is retried on the current webhook after a concurrent
change, so that two concurrent changes of different fields are both kept.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.queues import Sending
from callmissed.clock import MINUTE, Micros
from callmissed.idempotency.operation import Operation
from callmissed.sealing import Sealer
from callmissed.tenants.bots import bot_exists
from functions.webhooks.deliveries.errors import unprocessable, webhook_not_found
from functions.webhooks.deliveries.service import find_webhook
from functions.webhooks.delivery.enqueue import enqueue_best_effort
from functions.webhooks.delivery.jobs import ParkedJob
from functions.webhooks.delivery.signing import new_secret
from functions.webhooks.storage.errors import AlreadyExists, LimitReached, RevisionChanged
from functions.webhooks.storage.records import Endpoint, SigningSecret, Webhook, WebhookStatus
from functions.webhooks.storage.replays import DeliveryReplay
from functions.webhooks.storage.repository import Repository
from functions.webhooks.subscriptions.audit import described, difference, webhook_event
from functions.webhooks.subscriptions.errors import webhook_changed, webhook_limit_reached
from functions.webhooks.subscriptions.schemas import MASK, NewWebhook, WebhookChanges
from functions.webhooks.subscriptions.secrets import masked, rotated

MAX_WEBHOOKS = 50
"""Webhooks of one tenant."""

CheckUrl = Callable[[str], object]
"""Validates a URL. Raises ApiError 400 `url_rejected`."""

_HOUR = 60 * MINUTE
_TRIES = 5
_ALL = ["*"]


@dataclass(frozen=True, slots=True)
class WebhookWithSecret:
    """A webhook with its newest secret, which is shown only now."""

    webhook: Webhook
    secret: str


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """The webhook after a change. A resumed one clears its failures and sends parked deliveries.

    `event` is written in the same transaction, and so is `replay`, with the moment when the scheduler enqueues it.
    """

    webhook: Webhook
    event: AuditEvent
    resumed: bool = False
    replay: tuple[DeliveryReplay, Micros] | None = None


class Subscriptions:
    """The webhooks of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: Repository, *, sealer: Sealer, check_url: CheckUrl, queue: Sending) -> None:
        self._repository = repository
        self._webhooks = repository.webhooks
        self._sealer = sealer
        self._check_url = check_url
        self._queue = queue

    async def all_of(self, tenant: str) -> list[Webhook]:
        """The tenant's webhooks, oldest first."""
        return await self._webhooks.of_tenant(tenant)

    async def get(self, endpoint: Endpoint) -> Webhook:
        """The webhook. Raises ApiError 404."""
        return await find_webhook(self._repository, endpoint)

    async def create(
        self, tenant: str, new: NewWebhook, actor: Actor, now: Micros, operation: Operation
    ) -> WebhookWithSecret:
        """A new webhook with its secret; the same `operation` gives the same webhook.

        Raises ApiError 400 for its URL, 409 at the maximum number of webhooks, 422 for its headers or its bot.
        """
        self._check_url(new.url)
        await self._check_bot(tenant, new.bot_id)
        id, secret = operation.new_id("wh"), new_secret()
        webhook = self._new(Endpoint(tenant, id), new, secret, now)
        event = webhook_event("create", webhook.endpoint, actor, described(webhook))
        try:
            await self._webhooks.create(webhook, MAX_WEBHOOKS, audit_operation(event, now))
        except LimitReached as limit:
            raise webhook_limit_reached(MAX_WEBHOOKS) from limit
        except AlreadyExists:
            return self._with_secret(await self.get(webhook.endpoint))
        return WebhookWithSecret(webhook, secret)

    async def update(self, endpoint: Endpoint, changes: WebhookChanges, actor: Actor, now: Micros) -> Webhook:
        """The webhook after `changes`. Raises ApiError 400 for its URL, 404, 409, 422 for its headers or bot."""
        if changes.url is not None:
            self._check_url(changes.url)
        await self._check_bot(endpoint.tenant, changes.bot_id)

        def change(webhook: Webhook) -> WebhookChange:
            changed = replace(webhook, **self._changed_fields(webhook, changes))
            event = webhook_event("update", endpoint, actor, difference(webhook, changed))
            return WebhookChange(changed, event, resumed=_resumes(webhook, changes))

        return await self.change(endpoint, change, now)

    async def rotate(
        self, endpoint: Endpoint, overlap_hours: int, actor: Actor, now: Micros, operation: Operation
    ) -> WebhookWithSecret:
        """The webhook with a new secret, beside which the previous one signs for `overlap_hours` (0 to 24).

        The same `operation` gives the same secret. Raises ApiError 404, 409.
        """
        secret = new_secret()

        def change(webhook: Webhook) -> WebhookChange | None:
            if webhook.rotation_id == operation.id:
                return None
            until = Micros(now + overlap_hours * _HOUR)
            secrets = rotated(webhook.secrets, self._sealer.seal(secret), until=until, now=now)
            event = webhook_event("rotate", endpoint, actor, {"overlap_hours": overlap_hours})
            return WebhookChange(
                replace(webhook, secrets=secrets, masked_secret=masked(secret), rotation_id=operation.id), event
            )

        return self._with_secret(await self.change(endpoint, change, now))

    async def delete(self, endpoint: Endpoint, actor: Actor, now: Micros) -> None:
        """Delete the webhook; its queued deliveries are dropped. Raises ApiError 404."""
        event = webhook_event("delete", endpoint, actor, described(await self.get(endpoint)))
        if not await self._webhooks.delete(endpoint, audit_operation(event, now)):
            raise webhook_not_found()

    async def change(
        self, endpoint: Endpoint, change_of: Callable[[Webhook], WebhookChange | None], now: Micros
    ) -> Webhook:
        """Apply the change that `change_of` returns for the current webhook, none for None. Returns the webhook.

        Raises ApiError 404, 409 when it is changed concurrently at each try, and AlreadyExists for the change's replay.
        """
        for _ in range(_TRIES):
            webhook = await self.get(endpoint)
            change = change_of(webhook)
            if change is None:
                return webhook
            try:
                return await self._write(webhook, change, now)
            except RevisionChanged:
                continue
        raise webhook_changed()

    async def _write(self, webhook: Webhook, change: WebhookChange, now: Micros) -> Webhook:
        changed = await self._webhooks.change(
            webhook,
            replace(change.webhook, updated_at=now),
            audit=audit_operation(change.event, now),
            resume_at=now if change.resumed else None,
            replay=change.replay,
        )
        if change.resumed:
            await enqueue_best_effort(self._queue, ParkedJob(webhook.endpoint).message())
        return changed

    def _new(self, endpoint: Endpoint, new: NewWebhook, secret: str, now: Micros) -> Webhook:
        return Webhook(
            endpoint=endpoint,
            url=new.url,
            events=_simplified(new.events),
            description=new.description,
            headers=self._sealed(new.headers, {}),
            active=new.is_active,
            secrets=[SigningSecret(self._sealer.seal(secret))],
            masked_secret=masked(secret),
            created_at=now,
            updated_at=now,
            bot_id=new.bot_id,
        )

    def _changed_fields(self, webhook: Webhook, changes: WebhookChanges) -> dict[str, Any]:
        fields: dict[str, Any] = {"url": changes.url, "description": changes.description, "active": changes.is_active}
        if changes.events is not None:
            fields["events"] = _simplified(changes.events)
        if changes.headers is not None:
            fields["headers"] = self._sealed(changes.headers, webhook.headers)
        named = {name: value for name, value in fields.items() if value is not None}
        return named | ({"bot_id": changes.bot_id} if changes.bot_id or changes.clear_bot_id else {})

    async def _check_bot(self, tenant: str, bot_id: str | None) -> None:
        """Raise ApiError 422 for a bot that the tenant does not have."""
        if bot_id is not None and not await bot_exists(self._repository.database, tenant, bot_id):
            raise unprocessable("body", "bot_id", "The tenant has no such bot")

    def _sealed(self, headers: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
        """`headers` with sealed values; a masked value keeps the one that is `stored`. Raises ApiError 422."""
        kept = {name.lower(): sealed for name, sealed in stored.items()}
        for name, value in headers.items():
            if value == MASK and name.lower() not in kept:
                raise unprocessable("body", "headers", f"There is no stored value of '{name}' to keep")
        return {
            name: kept[name.lower()] if value == MASK else self._sealer.seal(value) for name, value in headers.items()
        }

    def _with_secret(self, webhook: Webhook) -> WebhookWithSecret:
        return WebhookWithSecret(webhook, self._sealer.unseal(webhook.secrets[0].sealed))


def _resumes(webhook: Webhook, changes: WebhookChanges) -> bool:
    """Whether earlier failures are obsolete: the webhook becomes active, or is active with another URL."""
    if webhook.status is not WebhookStatus.ACTIVE:
        return changes.is_active is True
    return changes.is_active is not False and changes.url not in (None, webhook.url)


def _simplified(events: Collection[str]) -> list[str]:
    """Each filter once; `*` alone if one filter selects everything, or if there is no filter."""
    return _ALL if not events or "*" in events else list(dict.fromkeys(events))
