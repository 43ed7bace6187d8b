"""Single items, and transactions over a few: strongly consistent, and safe to send again."""

import secrets
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.platform.tables import Table, physical_name


async def read_item(dynamodb: DynamoDB, stage: str, table: Table, key: Item) -> Item:
    """The item as it is now, strongly consistent; empty when there is none. Raises Unavailable."""
    request = {"TableName": physical_name(stage, table), "Key": to_item(key), "ConsistentRead": True}
    answer = await dynamodb.call("GetItem", request)
    return from_item(answer.get("Item", {}))


async def transact(dynamodb: DynamoDB, parts: list[dict[str, Any]]) -> None:
    """Carry out all `parts` or none. A lost answer is asked for again under the same token, which DynamoDB remembers.

    Raises TransactionCanceled, Unavailable.
    """
    await dynamodb.call("TransactWriteItems", {"TransactItems": parts, "ClientRequestToken": secrets.token_hex(16)})


def put_new(stage: str, table: Table, item: Item) -> dict[str, Any]:
    """The part that puts `item` where there is none."""
    return {
        "Put": {
            "TableName": physical_name(stage, table),
            "Item": to_item(item),
            "ConditionExpression": f"attribute_not_exists({table.partition_key})",
        }
    }
