"""Queries and scans over all their pages."""

from collections.abc import AsyncGenerator
from typing import Any

from callmissed.aws.attributes import Item, from_item
from callmissed.aws.dynamodb import DynamoDB


async def items(dynamodb: DynamoDB, operation: str, request: dict[str, Any]) -> AsyncGenerator[Item]:
    """Every item of a `Query` or `Scan`; the next page is fetched when it is asked for. Raises Unavailable."""
    page: dict[str, Any] = {}
    while True:
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if page else {}
        page = await dynamodb.call(operation, request | start)
        for item in page["Items"]:
            yield from_item(item)
        if "LastEvaluatedKey" not in page:
            return
