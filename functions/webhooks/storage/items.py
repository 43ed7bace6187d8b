"""Reading webhooks, and the operations of transactions that change them."""

from collections.abc import Collection

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import begins_with, below, missing_or
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, update_operation
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.storage.records import COUNT, LANE, WEBHOOK, Endpoint, due, webhook_key

HEALTH = ("cf", "ff", "open", "off", "off_at")
"""What is forgotten of an endpoint's failures when its owner activates it."""


async def read_webhook(database: Database, endpoint: Endpoint) -> Item:
    """The webhook, strongly consistent; empty when there is none. Raises Unavailable."""
    return await database.get(WEBHOOKS, webhook_key(endpoint))


async def webhooks_of(database: Database, tenant: str) -> list[Item]:
    """The tenant's webhooks, oldest first, strongly consistent. Raises Unavailable."""
    found = [item async for item in database.query(WEBHOOKS, tenant, sort=begins_with(WEBHOOK), consistent=True)]
    return sorted(found, key=lambda item: (item["created_at"], item["webhook"]))


def put_counted(webhook: Item, most: int) -> list[WriteOperation]:
    """Operations that put a new webhook and count it, while its tenant has less than `most`.

    The count is an item that every creation and deletion changes in its own transaction, so that of any number at the
    same time only as many pass as there is room for.
    """
    key = {"tenant": webhook["tenant"], "webhook": COUNT}
    room = {"n": missing_or(below(most))}
    return [
        put_new_operation(WEBHOOKS, webhook),
        update_operation(WEBHOOKS, key, add={"n": 1}, expected=room, upsert=True),
    ]


def delete_counted(endpoint: Endpoint) -> list[WriteOperation]:
    """Operations that delete a webhook which exists, and count it out."""
    return [
        delete_operation(WEBHOOKS, webhook_key(endpoint)),
        update_operation(WEBHOOKS, {"tenant": endpoint.tenant, "webhook": COUNT}, add={"n": -1}, upsert=True),
    ]


def update(seen: Item, changes: Item, forgotten: Collection[str] = ()) -> WriteOperation:
    """The operation that makes `changes` to a webhook that nobody has changed or disabled since it was `seen`."""
    key = {"tenant": seen["tenant"], "webhook": seen["webhook"]}
    changes = changes | {"rev": seen["rev"] + 1}
    return update_operation(WEBHOOKS, key, set=changes, remove=forgotten, expected={"rev": seen["rev"]})


def wake_lane(endpoint: Endpoint, now: int) -> WriteOperation:
    """The operation that has the webhook's lane looked at from `now` (epoch microseconds), if there is one or not."""
    return update_operation(DELIVERIES, _lane_key(endpoint), set=due(endpoint, now), add={"rev": 1}, upsert=True)


def keep_lane(endpoint: Endpoint, moment: int) -> WriteOperation:
    """The update that has the webhook's lane looked at from `moment` (epoch microseconds), unless it is at another."""
    return update_operation(
        DELIVERIES, _lane_key(endpoint), set_missing=due(endpoint, moment), add={"rev": 1}, upsert=True
    )


def _lane_key(endpoint: Endpoint) -> Item:
    return {"webhook": endpoint.partition, "item": LANE}
