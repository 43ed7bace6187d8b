"""Reading webhooks, and the parts of transactions that change them."""

from collections.abc import Collection
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.items import put_new, read_item
from callmissed.aws.paging import items
from callmissed.platform.tables import DELIVERIES, WEBHOOKS, physical_name
from functions.webhooks.storage.records import COUNT, LANE, WEBHOOK, Endpoint, due, webhook_key

HEALTH = ("cf", "ff", "open", "off", "off_at")
"""What is forgotten of an endpoint's failures when its owner activates it."""


async def read_webhook(dynamodb: DynamoDB, stage: str, endpoint: Endpoint) -> Item:
    """The webhook, strongly consistent; empty when there is none. Raises Unavailable."""
    return await read_item(dynamodb, stage, WEBHOOKS, webhook_key(endpoint))


async def webhooks_of(dynamodb: DynamoDB, stage: str, tenant: str) -> list[Item]:
    """The tenant's webhooks, oldest first, strongly consistent. Raises Unavailable."""
    request: dict[str, Any] = {
        "TableName": physical_name(stage, WEBHOOKS),
        "KeyConditionExpression": "tenant = :tenant AND begins_with(webhook, :prefix)",
        "ExpressionAttributeValues": to_item({":tenant": tenant, ":prefix": WEBHOOK}),
        "ConsistentRead": True,
    }
    found = [item async for item in items(dynamodb, "Query", request)]
    return sorted(found, key=lambda item: (item["created_at"], item["webhook"]))


def put_counted(stage: str, webhook: Item, most: int) -> list[dict[str, Any]]:
    """Parts that put a new webhook and count it, while its tenant has less than `most`.

    The count is an item that every creation and deletion changes in its own transaction, so that of any number at the
    same time only as many pass as there is room for.
    """
    counted = _count(stage, webhook["tenant"], "if_not_exists(n, :zero) + :one", {":zero": 0, ":one": 1, ":most": most})
    counted["ConditionExpression"] = "attribute_not_exists(n) OR n < :most"
    return [put_new(stage, WEBHOOKS, webhook), {"Update": counted}]


def delete_counted(stage: str, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Parts that delete a webhook which exists, and count it out."""
    deleted: dict[str, Any] = {
        "TableName": physical_name(stage, WEBHOOKS),
        "Key": to_item(webhook_key(endpoint)),
        "ConditionExpression": "attribute_exists(webhook)",
    }
    return [
        {"Delete": deleted},
        {"Update": _count(stage, endpoint.tenant, "if_not_exists(n, :one) - :one", {":one": 1})},
    ]


def update(stage: str, seen: Item, changes: Item, forgotten: Collection[str] = ()) -> dict[str, Any]:
    """The part that makes `changes` to a webhook that nobody has changed or disabled since it was `seen`."""
    changes = changes | {"rev": seen["rev"] + 1}
    removal = f" REMOVE {', '.join(f'#{name}' for name in forgotten)}" if forgotten else ""
    request: dict[str, Any] = {
        "TableName": physical_name(stage, WEBHOOKS),
        "Key": to_item({"tenant": seen["tenant"], "webhook": seen["webhook"]}),
        "ConditionExpression": "#rev = :seen",
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changes) + removal,
        "ExpressionAttributeNames": {f"#{name}": name for name in (*changes, *forgotten)},
        "ExpressionAttributeValues": to_item({f":{name}": value for name, value in changes.items()})
        | to_item({":seen": seen["rev"]}),
    }
    return {"Update": request}


def wake_lane(stage: str, endpoint: Endpoint, now: int) -> dict[str, Any]:
    """The part that has the webhook's lane looked at from `now` (epoch microseconds), whether there is one or not."""
    return {"Update": _lane(stage, endpoint, now, ":due")}


def keep_lane(stage: str, endpoint: Endpoint, moment: int) -> dict[str, Any]:
    """The update that has the webhook's lane looked at from `moment` (epoch microseconds), unless it is at another."""
    return _lane(stage, endpoint, moment, "if_not_exists(#due, :due)")


def _lane(stage: str, endpoint: Endpoint, moment: int, value: str) -> dict[str, Any]:
    return {
        "TableName": physical_name(stage, DELIVERIES),
        "Key": to_item({"webhook": endpoint.partition, "item": LANE}),
        "UpdateExpression": f"SET #shard = :shard, #due = {value}, #rev = if_not_exists(#rev, :zero) + :one",
        "ExpressionAttributeNames": {f"#{name}": name for name in ("shard", "due", "rev")},
        "ExpressionAttributeValues": to_item({f":{name}": value for name, value in due(endpoint, moment).items()})
        | to_item({":zero": 0, ":one": 1}),
    }


def _count(stage: str, tenant: str, value: str, values: Item) -> dict[str, Any]:
    return {
        "TableName": physical_name(stage, WEBHOOKS),
        "Key": to_item({"tenant": tenant, "webhook": COUNT}),
        "UpdateExpression": f"SET n = {value}",
        "ExpressionAttributeValues": to_item(values),
    }
