"""The DynamoDB tables: keys, indexes, streams and lifetimes.

Attribute names in hot items are one to four letters because DynamoDB bills the item's size, names included;
the module that owns an item explains its letters.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """One table. All keys are strings; the physical name is `callmissed-<stage>-<name>`."""

    name: str
    partition_key: str
    sort_key: str | None = None
    stream: bool = False
    ttl_attribute: str | None = None
    holds: str = ""


KEYS = Table("keys", "id", holds="API keys by HMAC: policy, rate and budget of one key, written on every call")
WALLETS = Table("wallets", "id", holds="a tenant's available credits, holds and month counters, written on every call")
LEDGER = Table("ledger", "tenant", "entry", stream=True, holds="immutable ledger entries, oldest first within a tenant")
TENANTS = Table("tenants", "tenant", "item", holds="tenant records, key records, payment events, reconciliation marks")
ORIGINS = Table("origins", "pattern", holds="domain locks by pattern, for CORS preflights, which carry no key")

TABLES = (KEYS, WALLETS, LEDGER, TENANTS, ORIGINS)


def physical_name(stage: str, table: Table) -> str:
    """Name of `table` in `stage`."""
    return f"callmissed-{stage}-{table.name}"


def create_table_request(stage: str, table: Table) -> dict[str, Any]:
    """The `CreateTable` request for `table`, as the desk and the tests create it."""
    keys = [(table.partition_key, "HASH")] + ([(table.sort_key, "RANGE")] if table.sort_key else [])
    request: dict[str, Any] = {
        "TableName": physical_name(stage, table),
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    }
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    return request
