"""Counts round trips and request units of each step of a delivery, by AWS's rules from the items themselves.

DynamoDB Local's own count leaves the index out. A write takes a unit per started KB of the larger of the item before
and after it, twice that in a transaction; a condition that fails is billed as a write. The index takes what its entry
does: one write to appear, change or go away, two to move to another key
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html). Reads are as DynamoDB Local counts them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from bench.cost import READS
from bench.ours import REGION
from callmissed.aws.attributes import Item, from_item
from callmissed.aws.dynamodb import DynamoDB, Exchange
from callmissed.platform.tables import TABLES, Index, Table, physical_name

_KB = 1024
_WRITES = ("Put", "Update", "Delete", "ConditionCheck")


@dataclass(frozen=True, slots=True)
class Units:
    """Round trips, write units of tables, write units of the index, and read units."""

    round_trips: float = 0
    table_writes: float = 0
    index_writes: float = 0
    reads: float = 0

    @property
    def writes(self) -> float:
        """All write units."""
        return self.table_writes + self.index_writes

    def __add__(self, other: "Units") -> "Units":
        return Units(
            self.round_trips + other.round_trips,
            self.table_writes + other.table_writes,
            self.index_writes + other.index_writes,
            self.reads + other.reads,
        )

    def times(self, factor: float) -> "Units":
        """`factor` of these."""
        return Units(
            self.round_trips * factor, self.table_writes * factor, self.index_writes * factor, self.reads * factor
        )


class UnitCountingDynamoDB(DynamoDB):
    """A client that counts every write, by looking at the item before and after."""

    def __init__(self, endpoint: str, stage: str) -> None:
        super().__init__(REGION, endpoint, timeout_seconds=60.0, observe=self._record)
        self._plain = DynamoDB(REGION, endpoint, timeout_seconds=60.0)
        self._tables = {physical_name(stage, table): table for table in TABLES}
        self._total = Units()

    def taken(self) -> Units:
        """What was counted since this was last asked."""
        total, self._total = self._total, Units()
        return total

    async def call(
        self, operation: str, request: dict[str, Any], *, resend_indeterminate: bool = True, attempts: int | None = None
    ) -> dict[str, Any]:
        """As `DynamoDB.call`."""
        parts, times = _writes(operation, request)
        before = [await self._look(part) for part in parts]
        try:
            return await super().call(operation, request, resend_indeterminate=resend_indeterminate, attempts=attempts)
        finally:
            for part, item in zip(parts, before, strict=True):
                self._add(self._tables[part["TableName"]], item, await self._look(part), times)

    async def close(self) -> None:
        """As `DynamoDB.close`."""
        await super().close()
        await self._plain.close()

    def _record(self, exchange: Exchange) -> None:
        self._total += Units(round_trips=1, reads=exchange.capacity if exchange.operation in READS else 0)

    async def _look(self, part: Mapping[str, Any]) -> Item:
        table = self._tables[part["TableName"]]
        names = [name for name in (table.partition_key, table.sort_key) if name]
        whole = part.get("Key") or part["Item"]
        request = {"TableName": part["TableName"], "Key": {name: whole[name] for name in names}, "ConsistentRead": True}
        return from_item((await self._plain.call("GetItem", request)).get("Item", {}))

    def _add(self, table: Table, before: Item, after: Item, times: int) -> None:
        index = sum(index_units(table, each, before, after) for each in table.indexes)
        self._total += Units(table_writes=times * max(write_units(before), write_units(after)), index_writes=index)


def _writes(operation: str, request: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The single writes in a request, and how many times over each is billed."""
    if operation == "TransactWriteItems":
        return [part[kind] for part in request["TransactItems"] for kind in _WRITES if kind in part], 2
    return ([] if operation in READS else [request]), 1


def item_bytes(value: Any) -> int:
    """Size by which DynamoDB bills an item, or a value in it (docs: "DynamoDB item sizes and formats")."""
    match value:
        case bool() | None:
            return 1
        case int():
            return (len(str(abs(value))) + 1) // 2 + 1
        case str():
            return len(value.encode())
        case Mapping():
            pairs = cast("Mapping[str, Any]", value)
            return sum(len(name.encode()) + _nested(each) for name, each in pairs.items())
        case _:
            return sum(map(_nested, value))


def _nested(value: Any) -> int:
    overhead = 3 + len(value) if isinstance(value, Mapping | list | tuple) else 0  # pyright: ignore[reportUnknownArgumentType]
    return overhead + item_bytes(value)


def write_units(item: Item) -> int:
    """Units of writing the item; writing none takes one too."""
    return max(1, -(-item_bytes(item) // _KB))


def index_units(table: Table, index: Index, before: Item, after: Item) -> int:
    """Units of what a change of an item does to its entry in the index."""
    old, new = _entry(table, index, before), _entry(table, index, after)
    if old == new:
        return 0
    keys = (index.partition_key, index.sort_key)
    if old and new and [old[key] for key in keys] == [new[key] for key in keys]:
        return max(write_units(old), write_units(new))
    return sum(write_units(entry) for entry in (old, new) if entry)


def _entry(table: Table, index: Index, item: Item) -> Item:
    if index.partition_key not in item or index.sort_key not in item:
        return {}
    shown = {table.partition_key, table.sort_key, index.partition_key, index.sort_key, *index.shows}
    return {name: value for name, value in item.items() if name in shown}
