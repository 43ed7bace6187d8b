"""The tables of one stage: reads, conditional writes and transactions.

Only the hottest writes (admission, holds, idempotency) are written by the modules that own their items.
"""

import secrets
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from callmissed.aws.attributes import Item, Value, from_item, to_item
from callmissed.aws.comparisons import Comparison
from callmissed.aws.dynamodb import ConditionFailed, DynamoDB, Unavailable
from callmissed.aws.expressions import Expressions
from callmissed.aws.operations import (
    Changes,
    Conditions,
    WriteOperation,
    delete_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.platform.tables import Index, Table, physical_name
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_MAX_BATCH_WRITES = 25
_MAX_PARTITION_KEY, _MAX_SORT_KEY = 2048, 1024
"""Maximum bytes of a key's values.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""


class Selection(TypedDict, total=False):
    """Which items a query or a scan returns, and which of their attributes.

    `where` filters the items after they are read, so filtered items are billed too; `attributes` are those returned.
    Without `consistent`, the last writes may be missing; an index is never consistent. `limit` is how many
    items one page reads at most.
    """

    index: Index
    where: Mapping[str, Value | Comparison]
    attributes: Collection[str]
    consistent: bool
    limit: int


class KeySelection(Selection, total=False):
    """A query's selection: the `sort` key's condition, and whether its order is reversed."""

    sort: Comparison
    newest_first: bool


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items of a query, `scanned` of them before the filter. `next` starts the next page; None after the last."""

    items: list[Item]
    next: dict[str, Any] | None
    scanned: int


class Database:
    """The tables of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDB, stage: str) -> None:
        self.dynamodb = dynamodb
        self.stage = stage

    @classmethod
    def connect(cls, settings: CoreSettings, credentials: "Credentials | None" = None) -> Self:
        """The tables of the stage in `settings`. Opens no connection before the first request."""
        return cls(DynamoDB(settings.region, settings.dynamodb_endpoint, credentials=credentials), settings.stage)

    def name(self, table: Table) -> str:
        """Physical name of `table`."""
        return physical_name(self.stage, table)

    async def get(self, table: Table, key: Item, *, consistent: bool = True) -> Item:
        """The item; empty when there is none, as for a key that is longer than DynamoDB allows."""
        if not _can_exist(table, key):
            return {}
        request = {"TableName": self.name(table), "Key": to_item(key), "ConsistentRead": consistent}
        answer = await self.dynamodb.call("GetItem", request)
        return from_item(answer.get("Item", {}))

    async def get_all(
        self, table: Table, keys: Sequence[Item], *, consistent: bool = True, attributes: Collection[str] = ()
    ) -> list[Item]:
        """The existing items among at most 100 keys, in the keys' order; `attributes` include those of the key."""
        name, expressions = self.name(table), Expressions()
        expressions.write("ProjectionExpression", expressions.names(attributes))
        wanted = {"Keys": [to_item(key) for key in keys], "ConsistentRead": consistent, **expressions.request}
        answer = await self.dynamodb.call("BatchGetItem", {"RequestItems": {name: wanted}})
        if answer.get("UnprocessedKeys"):
            raise Unavailable("the items could not all be read", indeterminate=False)
        found = [from_item(item) for item in answer["Responses"].get(name, [])]
        return [item for key in keys for item in found if key.items() <= item.items()]

    async def get_across(self, *keys: tuple[Table, Item]) -> list[Item]:
        """The items of `keys` in several tables, in their order, an empty one where none exists. One round trip."""
        tables: dict[str, Any] = {}
        for table, key in keys:
            wanted = tables.setdefault(self.name(table), {"Keys": [], "ConsistentRead": True})
            wanted["Keys"].append(to_item(key))
        answer = await self.dynamodb.call("BatchGetItem", {"RequestItems": tables})
        if answer.get("UnprocessedKeys"):
            raise Unavailable("the items could not all be read", indeterminate=False)
        found = {name: [from_item(item) for item in items] for name, items in answer["Responses"].items()}
        return [_with_key(found.get(self.name(table), []), key) for table, key in keys]

    async def get_all_at_once(self, table: Table, keys: Sequence[Item]) -> list[Item]:
        """The existing items among at most 100 keys, as of one moment. Fails on a concurrent write of one."""
        gets = [{"Get": {"TableName": self.name(table), "Key": to_item(key)}} for key in keys]
        answer = await self.dynamodb.call("TransactGetItems", {"TransactItems": gets})
        return [from_item(found["Item"]) for found in answer["Responses"] if found.get("Item")]

    async def put(self, table: Table, item: Item) -> None:
        """Write the item, replacing an existing one."""
        await self._write(put_operation(table, item))

    async def put_all(self, table: Table, items: Sequence[Item]) -> None:
        """Write the items, whose keys differ, replacing existing ones; some may be written when this raises."""
        await self._write_all(table, [{"PutRequest": {"Item": to_item(item)}} for item in items])

    async def delete_all(self, table: Table, keys: Sequence[Item]) -> None:
        """Delete the items with the keys, which differ; some may be deleted when this raises."""
        await self._write_all(table, [{"DeleteRequest": {"Key": to_item(key)}} for key in keys])

    async def put_new(self, table: Table, item: Item) -> Item:
        """Write the item unless one exists; returns the existing item, empty when there was none.

        After a lost answer an equal item counts as none: an earlier try of this write may have written it.
        """
        try:
            await self._write(put_new_operation(table, item), {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"})
        except ConditionFailed as refused:
            return {} if refused.indeterminate and refused.item == item else refused.item
        return {}

    async def update(self, table: Table, key: Item, **changes: Unpack[Changes]) -> Item:
        """The item after the changes. Raises ConditionFailed, which carries the item as it was."""
        returns = {"ReturnValues": "ALL_NEW", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        answer = await self._write(update_operation(table, key, **changes), returns)
        return from_item(answer["Attributes"])

    async def update_if(self, table: Table, key: Item, **changes: Unpack[Changes]) -> bool:
        """Change the item; False when the conditions do not hold, or no longer hold after a lost answer."""
        return await self.write_if(update_operation(table, key, **changes))

    async def delete_if(self, table: Table, key: Item, **conditions: Unpack[Conditions]) -> bool:
        """Delete the item; False when it does not exist or the conditions do not hold."""
        return await self.write_if(delete_operation(table, key, **conditions))

    async def write_if(self, operation: WriteOperation) -> bool:
        """Execute a single operation; False when its conditions do not hold."""
        try:
            await self._write(operation)
        except ConditionFailed:
            return False
        return True

    async def transact(self, operations: Sequence[WriteOperation], *, attempts: int | None = None) -> None:
        """Execute all `operations` (at most 100) or none.

        After a lost answer the request is sent again with the same token, which DynamoDB remembers for ten minutes.
        Items on which many transactions meet need more `attempts` than the client's own. Raises TransactionCanceled.
        """
        items = [{each.kind: {"TableName": self.name(each.table), **each.request}} for each in operations]
        request = {"TransactItems": items, "ClientRequestToken": secrets.token_hex(16)}
        await self.dynamodb.call("TransactWriteItems", request, attempts=attempts)

    def query(self, table: Table, partition: str, **selection: Unpack[KeySelection]) -> AsyncGenerator[Item]:
        """Every selected item of the partition, in the order of sort keys; each page is read when it is needed."""
        return self._items("Query", self._query(table, partition, selection))

    async def page(
        self,
        table: Table,
        partition: str,
        *,
        start: Mapping[str, Any] | None = None,
        **selection: Unpack[KeySelection],
    ) -> ItemPage:
        """One page of `query`, the first or the one that begins at `start`."""
        request = self._query(table, partition, selection)
        return await self._page("Query", request, start)

    def scan(self, table: Table, **selection: Unpack[Selection]) -> AsyncGenerator[Item]:
        """Every selected item of the table, unordered. Reads the whole table."""
        return self._items("Scan", self._selected(table, Expressions(), selection))

    async def close(self) -> None:
        """Close the connections."""
        await self.dynamodb.close()

    async def _write(self, operation: WriteOperation, returns: Mapping[str, str] | None = None) -> dict[str, Any]:
        request = {"TableName": self.name(operation.table), **operation.request, **(returns or {})}
        return await self.dynamodb.call(f"{operation.kind}Item", request)

    async def _write_all(self, table: Table, writes: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(writes), _MAX_BATCH_WRITES):
            batch = {self.name(table): writes[start : start + _MAX_BATCH_WRITES]}
            answer = await self.dynamodb.call("BatchWriteItem", {"RequestItems": batch})
            if answer.get("UnprocessedItems"):
                raise Unavailable("the items could not all be written", indeterminate=True)

    async def _items(self, operation: str, request: dict[str, Any]) -> AsyncGenerator[Item]:
        page = await self._page(operation, request, None)
        while True:
            for item in page.items:
                yield item
            if page.next is None:
                return
            page = await self._page(operation, request, page.next)

    async def _page(self, operation: str, request: dict[str, Any], start: Mapping[str, Any] | None) -> ItemPage:
        answer = await self.dynamodb.call(operation, request | ({"ExclusiveStartKey": start} if start else {}))
        items = [from_item(item) for item in answer["Items"]]
        return ItemPage(items, answer.get("LastEvaluatedKey"), answer.get("ScannedCount", len(items)))

    def _query(self, table: Table, partition: str, selection: KeySelection) -> dict[str, Any]:
        expressions, keys = Expressions(), selection.get("index", table)
        conditions = [expressions.condition(keys.partition_key, partition)]
        if sort := selection.get("sort"):
            conditions.append(expressions.condition(keys.sort_key or "", sort))
        expressions.write("KeyConditionExpression", " AND ".join(conditions))
        order = {"ScanIndexForward": False} if selection.get("newest_first") else {}
        return self._selected(table, expressions, selection) | order

    def _selected(self, table: Table, expressions: Expressions, selection: Selection) -> dict[str, Any]:
        expressions.write("FilterExpression", " AND ".join(expressions.conditions(selection.get("where", {}))))
        expressions.write("ProjectionExpression", expressions.names(selection.get("attributes", ())))
        request: dict[str, Any] = {"TableName": self.name(table), **expressions.request}
        if index := selection.get("index"):
            request["IndexName"] = index.name
        if selection.get("consistent"):
            request["ConsistentRead"] = True
        if limit := selection.get("limit"):
            request["Limit"] = limit
        return request


def _can_exist(table: Table, key: Item) -> bool:
    """Whether DynamoDB has room for the key: callers choose ids in paths."""
    sort_key: str = key[table.sort_key] if table.sort_key else ""
    return len(key[table.partition_key].encode()) <= _MAX_PARTITION_KEY and len(sort_key.encode()) <= _MAX_SORT_KEY


def _with_key(items: Iterable[Item], key: Item) -> Item:
    """The item with `key`; empty when there is none."""
    for item in items:
        if key.items() <= item.items():
            return item
    return {}
