"""Reading and writing webhooks and deliveries: every change under the condition that what it rests on still holds."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table
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

    def __init__(self, database: Database) -> None:
        self.database = database

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
        answer = await self.database.dynamodb.call("BatchGetItem", {"RequestItems": asked})
        found = [(answer["Responses"].get(self.name(table)), table, key) for table, key in keys]
        return Work(*[from_item(items[0]) if items else await self.get(table, key) for items, table, key in found])

    async def get(self, table: Table, key: Item) -> Item:
        """The item, strongly consistent; empty when there is none."""
        return await self.database.get(table, key)

    async def put(self, table: Table, item: Item) -> None:
        """Write the item, over whatever is there."""
        await self.database.put(table, item)

    async def put_new(self, table: Table, item: Item) -> Item:
        """Write the item where there is none; returns the one that was there before, empty when there was none.

        An item like it may be our own, when the answer to an earlier try got lost, and counts as none.
        """
        return await self.database.put_new(table, item)

    async def change(
        self, table: Table, key: Item, new: Item, seen: Item, *, gone: Sequence[str] = (), absent: Sequence[str] = ()
    ) -> bool:
        """Set `new` and remove `gone`, if the attributes `seen` are as they were and those `absent` still are.

        False when they are not.
        """
        return await self.database.update_if(table, key, set=new, remove=gone, expected=seen, must_not_exist=absent)

    async def delete(self, table: Table, key: Item, seen: Item) -> bool:
        """Delete the item if the attributes `seen` are as they were; False when they are not."""
        return await self.database.delete_if(table, key, expected=seen)

    async def keep_lane(self, endpoint: Endpoint, moment: int) -> None:
        """Let the lane of `endpoint` be looked at by `moment` (epoch microseconds), because something was parked.

        `rev` moves on, so that whoever found the lane empty before does not take it away.
        """
        await self.database.write_if(keep_lane(endpoint, moment))

    async def page(self, request: Mapping[str, Any]) -> tuple[list[Item], dict[str, Any] | None]:
        """One page of a query of the table `deliveries`, and where the next one starts."""
        answer = await self.database.dynamodb.call("Query", {"TableName": self.name(DELIVERIES), **request})
        return [from_item(item) for item in answer["Items"]], answer.get("LastEvaluatedKey")

    def name(self, table: Table) -> str:
        """Physical name of `table`."""
        return self.database.name(table)


async def at_once(works: Sequence[Any], most: int = 20) -> list[Any]:
    """Results of the awaitables, in their order, with at most `most` under way. Raises what the first one raises."""
    gate = asyncio.Semaphore(most)

    async def gated(work: Any) -> Any:
        async with gate:
            return await work

    return list(await asyncio.gather(*(gated(work) for work in works)))
