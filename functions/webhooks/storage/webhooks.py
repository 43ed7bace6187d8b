"""Reads and conditional writes of webhooks."""

from collections.abc import Sequence
from dataclasses import replace

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import begins_with, below, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, TransactionCanceled
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, update_operation
from callmissed.clock import Micros
from callmissed.events.outbox import Event, publish_operation
from callmissed.platform.tables import WEBHOOKS
from functions.webhooks.storage.deliveries import resume_operation
from functions.webhooks.storage.errors import AlreadyExists, LimitReached, RevisionChanged
from functions.webhooks.storage.records import (
    FAILURES,
    WEBHOOK,
    WEBHOOK_PREFIX,
    DisabledReason,
    Endpoint,
    Webhook,
    count_key,
)
from functions.webhooks.storage.replays import DeliveryReplay, put_replay_operation

_REFUSED = "ConditionalCheckFailed"
_NO_FAILURES: Item = {
    "consecutive_failures": None,
    "first_failure_at": None,
    "open_until": None,
    "disabled_reason": None,
    "disabled_at": None,
}


class WebhookRepository:
    """The webhooks of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, endpoint: Endpoint) -> Webhook | None:
        """The webhook, strongly consistent."""
        item = await self._database.get(WEBHOOKS, endpoint.key)
        return Webhook.of(item) if item else None

    async def of_tenant(self, tenant: str) -> list[Webhook]:
        """The tenant's webhooks, oldest first, strongly consistent."""
        query = self._database.query(WEBHOOKS, tenant, sort=begins_with(WEBHOOK_PREFIX), consistent=True)
        found = [Webhook.of(item) async for item in query]
        return sorted(found, key=lambda webhook: (webhook.created_at, webhook.endpoint.webhook))

    async def create(self, webhook: Webhook, max_webhooks: int, audit: WriteOperation) -> None:
        """Write a new webhook, count it, and `audit` it. Raises AlreadyExists, and LimitReached at `max_webhooks`.

        The count is an item that every creation and deletion changes in its own transaction, so that
        concurrent creations can't exceed the maximum.
        """
        room = {"n": missing_or(below(max_webhooks))}
        counted = update_operation(
            WEBHOOKS, count_key(webhook.endpoint.tenant), add={"n": 1}, expected=room, upsert=True
        )
        try:
            await self._database.transact([put_new_operation(WEBHOOKS, webhook.item), counted, audit])
        except TransactionCanceled as canceled:
            raise AlreadyExists if canceled.reasons[0] == _REFUSED else LimitReached from canceled

    async def change(
        self,
        before: Webhook,
        after: Webhook,
        *,
        audit: WriteOperation,
        resume_at: Micros | None = None,
        replay: tuple[DeliveryReplay, Micros] | None = None,
    ) -> Webhook:
        """Change the webhook from `before` to `after`, unless it was changed or disabled since, and `audit` it.

        With `resume_at`, earlier failures are cleared and parked deliveries are checked from then. With `replay`,
        a new replay and the moment when the scheduler enqueues it, both are written or neither. Raises
        RevisionChanged, and AlreadyExists for the replay.
        """
        after = replace(after, revision=before.revision + 1)
        operations = [_change_operation(before, after, () if resume_at is None else FAILURES)]
        operations += [] if resume_at is None else [resume_operation(before.endpoint, resume_at)]
        operations += [audit]
        operations += [put_replay_operation(*replay)] if replay else []
        try:
            await self._database.transact(operations)
        except TransactionCanceled as canceled:
            if canceled.reasons[0] == _REFUSED:
                raise RevisionChanged from canceled
            if replay and canceled.reasons[-1] == _REFUSED:
                raise AlreadyExists from canceled
            raise
        return after if resume_at is None else replace(after, **_NO_FAILURES)

    async def delete(self, endpoint: Endpoint, audit: WriteOperation) -> bool:
        """Delete the webhook, decrement the count, and `audit` it; False when there is none."""
        counted = update_operation(WEBHOOKS, count_key(endpoint.tenant), add={"n": -1}, upsert=True)
        try:
            await self._database.transact([delete_operation(WEBHOOKS, endpoint.key), counted, audit])
        except TransactionCanceled:
            return False
        return True

    async def move_open_until(self, webhook: Webhook, until: Micros) -> bool:
        """Open the circuit breaker until `until`; False when it was opened or closed since the webhook was read."""
        expected = WEBHOOK.encode(open_until=webhook.open_until)
        must_not_exist = () if expected else WEBHOOK.names("open_until")
        return await self._database.update_if(
            WEBHOOKS,
            webhook.endpoint.key,
            set=WEBHOOK.encode(open_until=until),
            expected=expected,
            must_not_exist=must_not_exist,
        )

    async def count_failure(self, endpoint: Endpoint, now: Micros) -> Webhook | None:
        """The webhook with one more failed attempt; None when it was deleted."""
        try:
            item = await self._database.update(
                WEBHOOKS,
                endpoint.key,
                add=WEBHOOK.encode(consecutive_failures=1),
                set_missing=WEBHOOK.encode(first_failure_at=now),
            )
        except ConditionFailed:
            return None
        return Webhook.of(item)

    async def forget_failures(self, endpoint: Endpoint) -> None:
        """Close the circuit breaker and reset the count of failures."""
        await self._database.update_if(
            WEBHOOKS,
            endpoint.key,
            set=WEBHOOK.encode(consecutive_failures=0),
            remove=WEBHOOK.names("first_failure_at", "open_until"),
        )

    async def disable(self, webhook: Webhook, reason: DisabledReason, now: Micros, event: Event) -> bool:
        """Disable an active webhook and publish `event`, both or neither.

        False when it is inactive, has another URL, or was deleted.
        """
        try:
            await self._database.transact([_disable_operation(webhook, reason, now), publish_operation(event)])
        except TransactionCanceled:
            return False
        return True


def _change_operation(before: Webhook, after: Webhook, forgotten: Sequence[str]) -> WriteOperation:
    values, removed = WEBHOOK.changes(before, after)
    expected = WEBHOOK.encode(revision=before.revision)
    return update_operation(WEBHOOKS, before.endpoint.key, set=values, remove=(*removed, *forgotten), expected=expected)


def _disable_operation(webhook: Webhook, reason: DisabledReason, now: Micros) -> WriteOperation:
    """Increments the revision: an owner who saw the webhook active must read it again."""
    return update_operation(
        WEBHOOKS,
        webhook.endpoint.key,
        set=WEBHOOK.encode(active=False, disabled_reason=reason, disabled_at=now, updated_at=now),
        add=WEBHOOK.encode(revision=1),
        remove=WEBHOOK.names("open_until"),
        expected=WEBHOOK.encode(active=True, url=webhook.url),
    )
