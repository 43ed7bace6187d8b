"""Write units of requests to DynamoDB, by AWS's rules: DynamoDB Local under-counts transactions.

An item of at most 1 KB is one unit, two in a transaction; each entry that goes to an index, or leaves it, is one more.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import json
from typing import Any

from tests.support.counting import CountingDynamoDB

_WRITES = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
_ALWAYS_THERE = "changed"


class UnitCountingDynamoDB(CountingDynamoDB):
    """Adds up the units of the writes to `tables`, by their short names; the requests to others are not counted."""

    def __init__(self, region: str, endpoint: str, *tables: str) -> None:
        super().__init__(region, endpoint)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._tables = tables

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        request = json.loads(payload)
        if self._counts(operation, request):
            self.requests.append((operation, request))
        return await super().send(operation, payload)

    @property
    def round_trips(self) -> int:
        """The requests that were counted."""
        return len(self.requests)

    @property
    def write_units(self) -> int:
        """The units of the writes among them."""
        return sum(_units(operation, request) for operation, request in self.requests)

    def _counts(self, operation: str, request: dict[str, Any]) -> bool:
        named = {request.get("TableName", "")} | set(request.get("RequestItems", ()))
        for part in request.get("TransactItems", ()):
            named |= {action["TableName"] for action in part.values()}
        return any(name.rpartition("-")[2] in self._tables for name in named)


def _units(operation: str, request: dict[str, Any]) -> int:
    if operation == "TransactWriteItems":
        parts = [(kind, action) for part in request["TransactItems"] for kind, action in part.items()]
        return sum(2 + _index_units(kind, action) for kind, action in parts)
    return 1 + _index_units(_WRITES[operation], request) if operation in _WRITES else 0


def _index_units(kind: str, request: dict[str, Any]) -> int:
    """Entries of indexes that the write adds or removes; `changed` moves, so it is both."""
    table = request["TableName"].rpartition("-")[2]
    if table == "messages":
        written = request.get("Item", {}) if kind == "Put" else request.get("UpdateExpression", "")
        return int("wamid" in written)
    if table != "conversations" or kind != "Update":
        return 0
    update: str = request["UpdateExpression"]
    sets, _, removes = update.partition("REMOVE")
    return 2 * (f"#{_ALWAYS_THERE} =" in sets) + ("#due" in removes) + ("#due = :" in sets)
