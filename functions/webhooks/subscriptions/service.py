"""A tenant's webhooks: creating, changing, rotating, deleting.

Every change names the `rev` that it saw and is made anew on the item as it is when another one came between, so that
two changes of different fields both last.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.aws.queues import Sending
from callmissed.clock import MINUTE
from callmissed.idempotency.operation import Operation
from callmissed.sealing import Sealer
from functions.webhooks.delivery import jobs
from functions.webhooks.delivery.backstop import hasten
from functions.webhooks.delivery.errors import changed_meanwhile, limit_reached, no_such_webhook, unprocessable
from functions.webhooks.delivery.rendering import status_of
from functions.webhooks.delivery.signing import new_secret
from functions.webhooks.storage.items import (
    HEALTH,
    delete_counted,
    put_counted,
    read_webhook,
    update,
    wake_lane,
    webhooks_of,
)
from functions.webhooks.storage.records import Endpoint
from functions.webhooks.subscriptions.schemas import MASK, NewWebhook, WebhookChanges
from functions.webhooks.subscriptions.secrets import masked, rotated

MOST_WEBHOOKS = 50
"""Webhooks of one tenant."""

CheckUrl = Callable[[str], object]
"""Raises ApiError 400 `url_rejected` for a URL that we never call."""

_HOUR = 60 * MINUTE
_TRIES = 5
_ID = re.compile(r"wh_[0-9a-f]{24}")
_ALL = ["*"]
_REFUSED = "ConditionalCheckFailed"


@dataclass(frozen=True, slots=True)
class Shown:
    """A webhook with its newest secret, which is shown this once."""

    webhook: Item
    secret: str


@dataclass(frozen=True, slots=True)
class Change:
    """New values of a webhook's attributes. One that `wakes` it forgets its failures and sends what is parked."""

    values: Item
    wakes: bool = False
    further: Sequence[WriteOperation] = ()
    """Operations of a transaction that the change is to be one with."""


class Subscriptions:
    """The webhooks of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, *, sealer: Sealer, check_url: CheckUrl, dispatch: Sending) -> None:
        self._database = database
        self._sealer = sealer
        self._check_url = check_url
        self._dispatch = dispatch

    async def all_of(self, tenant: str) -> list[Item]:
        """The tenant's webhooks, oldest first."""
        return await webhooks_of(self._database, tenant)

    async def get(self, endpoint: Endpoint) -> Item:
        """The webhook. Raises ApiError 404."""
        if not _ID.fullmatch(endpoint.webhook):
            raise no_such_webhook()
        webhook = await read_webhook(self._database, endpoint)
        if not webhook:
            raise no_such_webhook()
        return webhook

    async def create(self, tenant: str, new: NewWebhook, now: int, operation: Operation) -> Shown:
        """A new webhook with its secret; the same again for the same `operation`.

        Raises ApiError 400 for its URL, 409 when the tenant has as many as it may, 422 for its headers.
        """
        self._check_url(new.url)
        id, secret = operation.new_id("wh"), new_secret()
        webhook = self._new(Endpoint(tenant, id), new, secret, now)
        try:
            await self._database.transact(put_counted(webhook, MOST_WEBHOOKS))
        except TransactionCanceled as canceled:
            if canceled.reasons[0] != _REFUSED:
                raise limit_reached(MOST_WEBHOOKS) from canceled
            return self._shown(await self.get(Endpoint(tenant, id)))
        return Shown(webhook, secret)

    async def update(self, endpoint: Endpoint, changes: WebhookChanges, now: int) -> Item:
        """The webhook after `changes`. Raises ApiError 400 for its URL, 404, 409, 422 for its headers."""
        if changes.url is not None:
            self._check_url(changes.url)

        def change(webhook: Item) -> Change:
            return Change(self._changed(webhook, changes), wakes=_wakes(webhook, changes))

        return await self.change(endpoint, change, now)

    async def rotate(self, endpoint: Endpoint, overlap_hours: int, now: int, operation: Operation) -> Shown:
        """The webhook with a new secret, beside which the one before it signs for `overlap_hours` (0 to 24).

        The same secret again for the same `operation`. Raises ApiError 404, 409.
        """
        secret = new_secret()

        def change(webhook: Item) -> Change | None:
            if webhook.get("rotation") == operation.id:
                return None
            until = now + overlap_hours * _HOUR
            secrets = rotated(webhook["secrets"], self._sealer.seal(secret), until=until, now=now)
            return Change({"secrets": secrets, "mask": masked(secret), "rotation": operation.id})

        return self._shown(await self.change(endpoint, change, now))

    async def delete(self, endpoint: Endpoint) -> None:
        """End the webhook; what is queued for it is dropped. Raises ApiError 404."""
        await self.get(endpoint)
        try:
            await self._database.transact(delete_counted(endpoint))
        except TransactionCanceled as canceled:
            raise no_such_webhook() from canceled

    async def change(self, endpoint: Endpoint, change_of: Callable[[Item], Change | None], now: int) -> Item:
        """The webhook after the change that `change_of` makes of the item as it is; as it is for None.

        Raises ApiError 404, and 409 when others come between each time.
        """
        for _ in range(_TRIES):
            webhook = await self.get(endpoint)
            change = change_of(webhook)
            if change is None:
                return webhook
            try:
                return await self._carry_out(endpoint, webhook, change, now)
            except TransactionCanceled as canceled:
                if canceled.reasons[0] != _REFUSED:
                    raise
        raise changed_meanwhile()

    async def _carry_out(self, endpoint: Endpoint, webhook: Item, change: Change, now: int) -> Item:
        values, forgotten = change.values | {"updated_at": now}, HEALTH if change.wakes else ()
        operations = [update(webhook, values, forgotten)]
        if change.wakes:
            operations.append(wake_lane(endpoint, now))
        await self._database.transact([*operations, *change.further])
        if change.wakes:
            await hasten(self._dispatch, jobs.lane(endpoint))
        return _without(webhook, forgotten) | values

    def _new(self, endpoint: Endpoint, new: NewWebhook, secret: str, now: int) -> Item:
        return {
            "tenant": endpoint.tenant,
            "webhook": endpoint.webhook,
            "url": new.url,
            "events": _simplified(new.events),
            "description": new.description,
            "headers": self._sealed(new.headers, {}),
            "active": new.is_active,
            "secrets": [[self._sealer.seal(secret), None]],
            "mask": masked(secret),
            "created_at": now,
            "updated_at": now,
            "rev": 1,
        }

    def _changed(self, webhook: Item, changes: WebhookChanges) -> Item:
        values: Item = {"url": changes.url, "description": changes.description, "active": changes.is_active}
        if changes.events is not None:
            values["events"] = _simplified(changes.events)
        if changes.headers is not None:
            values["headers"] = self._sealed(changes.headers, webhook["headers"])
        return {name: value for name, value in values.items() if value is not None}

    def _sealed(self, headers: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
        """`headers` with sealed values; a masked value keeps the one that is `stored`. Raises ApiError 422."""
        kept = {name.lower(): sealed for name, sealed in stored.items()}
        for name, value in headers.items():
            if value == MASK and name.lower() not in kept:
                raise unprocessable("body", "headers", f"There is no stored value of '{name}' to keep")
        return {
            name: kept[name.lower()] if value == MASK else self._sealer.seal(value) for name, value in headers.items()
        }

    def _shown(self, webhook: Item) -> Shown:
        return Shown(webhook, self._sealer.unseal(webhook["secrets"][0][0]))


def _wakes(webhook: Item, changes: WebhookChanges) -> bool:
    """Whether what failed before says nothing any more: the webhook becomes active, or is active and moves."""
    if status_of(webhook) != "active":
        return changes.is_active is True
    return changes.is_active is not False and changes.url not in (None, webhook["url"])


def _simplified(events: Collection[str]) -> list[str]:
    """Each filter once; one that selects everything, or no filter at all, stands for everything."""
    return _ALL if not events or "*" in events else list(dict.fromkeys(events))


def _without(item: Item, names: Collection[str]) -> Item:
    return {name: value for name, value in item.items() if name not in names}
