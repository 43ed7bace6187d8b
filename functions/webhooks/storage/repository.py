"""Reading and writing webhooks and deliveries: every change under the condition that what it rests on still holds."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import ConditionFailed, DynamoDB
from callmissed.aws.items import read_item
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table, physical_name
from functions.webhooks.storage.items import keep_lane
from functions.webhooks.storage.records import Endpoint, delivery_key, webhook_key


@dataclass(frozen=True, slots=True)
class Work:
    """What an attempt needs; an item that does not exist is empty."""

    webhook: Item
    delivery: Item
    event: Item


class Store:
    """The tables of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDB, stage: str) -> None:
        self.dynamodb = dynamodb
        self.stage = stage

    async def work(self, endpoint: Endpoint, delivery_id: str, event_id: str) -> Work:
        """Webhook and delivery as they are now, and the event, in one round trip.

        What isn't found is asked for by itself: a replica may not have the event yet, and a busy table leaves keys out.
        """
        keys: Sequence[tuple[Table, Item]] = (
            (WEBHOOKS, webhook_key(endpoint)),
            (DELIVERIES, delivery_key(endpoint, delivery_id)),
            (OUTBOX, {"id": event_id}),
        )
        asked = {
            self.name(table): {"Keys": [to_item(key)], "ConsistentRead": table is not OUTBOX} for table, key in keys
        }
        answer = await self.dynamodb.call("BatchGetItem", {"RequestItems": asked})
        found = [(answer["Responses"].get(self.name(table)), table, key) for table, key in keys]
        return Work(*[from_item(items[0]) if items else await self.get(table, key) for items, table, key in found])

    async def get(self, table: Table, key: Item) -> Item:
        """The item, strongly consistent; empty when there is none."""
        return await read_item(self.dynamodb, self.stage, table, key)

    async def put(self, table: Table, item: Item) -> None:
        """Write the item, over whatever is there."""
        await self.dynamodb.call("PutItem", {"TableName": self.name(table), "Item": to_item(item)})

    async def put_new(self, table: Table, item: Item) -> Item:
        """Write the item where there is none; returns the one that was there before, empty when there was none.

        An item like it may be our own, when the answer to an earlier try got lost, and counts as none.
        """
        request = {
            "TableName": self.name(table),
            "Item": to_item(item),
            "ConditionExpression": f"attribute_not_exists({table.partition_key})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            await self.dynamodb.call("PutItem", request)
        except ConditionFailed as before:
            return {} if before.doubtful and before.item == item else before.item
        return {}

    async def change(
        self, table: Table, key: Item, new: Item, seen: Item, *, gone: Sequence[str] = (), absent: Sequence[str] = ()
    ) -> bool:
        """Set `new` and remove `gone`, if the attributes `seen` are as they were and those `absent` still are.

        False when they are not.
        """
        try:
            await self.dynamodb.call("UpdateItem", self._change(table, key, new, seen, gone, absent))
        except ConditionFailed:
            return False
        return True

    async def delete(self, table: Table, key: Item, seen: Item) -> bool:
        """Delete the item if the attributes `seen` are as they were; False when they are not."""
        request = self._change(table, key, {}, seen, (), ())
        request.pop("UpdateExpression")
        try:
            await self.dynamodb.call("DeleteItem", request)
        except ConditionFailed:
            return False
        return True

    async def keep_lane(self, endpoint: Endpoint, moment: int) -> None:
        """Let the lane of `endpoint` be looked at by `moment` (epoch microseconds), because something was parked.

        `rev` moves on, so that whoever found the lane empty before does not take it away.
        """
        await self.dynamodb.call("UpdateItem", keep_lane(self.stage, endpoint, moment))

    async def page(self, request: Mapping[str, Any]) -> tuple[list[Item], dict[str, Any] | None]:
        """One page of a query of the table `deliveries`, and where the next one starts."""
        answer = await self.dynamodb.call("Query", {"TableName": self.name(DELIVERIES), **request})
        return [from_item(item) for item in answer["Items"]], answer.get("LastEvaluatedKey")

    def name(self, table: Table) -> str:
        """Physical name of `table`."""
        return physical_name(self.stage, table)

    def _change(
        self, table: Table, key: Item, new: Item, seen: Item, gone: Sequence[str], absent: Sequence[str]
    ) -> dict[str, Any]:
        conditions = [f"attribute_exists({table.partition_key})"]
        conditions += [f"#{name} = :seen_{name}" for name in seen]
        conditions += [f"attribute_not_exists(#{name})" for name in absent]
        update = ("SET " + ", ".join(f"#{name} = :new_{name}" for name in new)) if new else ""
        update += (" REMOVE " + ", ".join(f"#{name}" for name in gone)) if gone else ""
        values = {f":new_{name}": value for name, value in new.items()}
        values |= {f":seen_{name}": value for name, value in seen.items()}
        request: dict[str, Any] = {
            "TableName": self.name(table),
            "Key": to_item(key),
            "UpdateExpression": update.strip(),
            "ConditionExpression": " AND ".join(conditions),
        }
        names = {f"#{name}": name for name in (*new, *seen, *gone, *absent)}
        request |= {"ExpressionAttributeNames": names} if names else {}
        return request | ({"ExpressionAttributeValues": to_item(values)} if values else {})


async def at_once(works: Sequence[Any], most: int = 20) -> list[Any]:
    """Results of the awaitables, in their order, with at most `most` under way. Raises what the first one raises."""
    gate = asyncio.Semaphore(most)

    async def gated(work: Any) -> Any:
        async with gate:
            return await work

    return list(await asyncio.gather(*(gated(work) for work in works)))
