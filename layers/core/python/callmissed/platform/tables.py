"""The DynamoDB tables: keys, indexes, streams and lifetimes.

Attribute names in hot items are one to four letters because DynamoDB bills the item's size, names included;
the module that owns an item explains its letters.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from callmissed.platform.tenant_data import (
    HELPERS,
    OWNERS,
    PARTITION,
    PARTITION_AND_OWNERS,
    Export,
    TenantData,
    expires,
    kept,
)


@dataclass(frozen=True, slots=True)
class Index:
    """A sparse index: it has the items with both its keys, with their table keys and the attributes `shows`."""

    name: str
    partition_key: str
    sort_key: str
    tenant_data: TenantData
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table. All keys are strings; the physical name is `callmissed-<stage>-<name>`."""

    name: str
    partition_key: str
    sort_key: str | None = None
    _: KW_ONLY
    tenant_data: TenantData
    stream: bool = False
    ttl_attribute: str | None = None
    index: Index | None = None
    holds: str = ""


KEYS = Table(
    "keys",
    "id",
    tenant_data=HELPERS,
    ttl_attribute="ttl",
    holds="API keys by HMAC: policy, rate and budget of one key, written on every call",
)
WALLETS = Table(
    "wallets",
    "id",
    tenant_data=OWNERS,
    holds="a tenant's available credits, holds and month counters, written on every call",
)
LEDGER = Table(
    "ledger",
    "tenant",
    "entry",
    tenant_data=kept("Accounts are kept as long as the law asks; entries name no people.", Export.SHOWN),
    stream=True,
    holds="immutable ledger entries, oldest first within a tenant",
)
TENANTS = Table(
    "tenants",
    "tenant",
    "item",
    tenant_data=PARTITION_AND_OWNERS,
    ttl_attribute="ttl",
    holds="tenant records, users and their addresses, key records, integrations and their accounts, payment events, "
    "reconciliation marks, health of providers' routes",
)
DOMAINS = Table(
    "domains",
    "pattern",
    "key",
    tenant_data=HELPERS,
    holds="domain locks by pattern, tenant and key, for CORS preflights, which carry no key",
)
IDEMPOTENCY = Table(
    "idempotency",
    "id",
    tenant_data=expires(2),
    ttl_attribute="ttl",
    holds="requests with an Idempotency-Key, for 24 hours",
)
OUTBOX = Table(
    "outbox",
    "id",
    tenant_data=expires(30, Export.ELSEWHERE),
    stream=True,
    ttl_attribute="ttl",
    holds="events with their signed body, for 30 days",
)
WEBHOOKS = Table(
    "webhooks",
    "tenant",
    "webhook",
    tenant_data=PARTITION,
    holds="a tenant's webhooks with their secrets and their health",
)
DUE = Index("due", "shard", "due", tenant_data=HELPERS, shows=("event", "n"))
DELIVERIES = Table(
    "deliveries",
    "webhook",
    "item",
    tenant_data=OWNERS,
    ttl_attribute="ttl",
    index=DUE,
    holds="deliveries, attempts and replays of a webhook, for 30 days; what is due is in the index",
)
RESPONSES_OF_TENANT = Index("tenant", "tenant", "id", tenant_data=PARTITION, shows=("in_s3",))
RESPONSES = Table(
    "responses",
    "id",
    tenant_data=OWNERS,
    ttl_attribute="ttl",
    index=RESPONSES_OF_TENANT,
    holds="stored responses with their conversations, and pointers to items, for 30 days; a tenant's are in the index",
)
IMAGES = Table(
    "images",
    "key",
    "image",
    tenant_data=OWNERS,
    ttl_attribute="ttl",
    holds="the history of an API key's images, with their prompts, for 30 days; S3 has the images",
)
FILES_DUE = Index("due", "shard", "due", tenant_data=HELPERS, shows=("state",))
FILES = Table(
    "files",
    "tenant",
    "item",
    tenant_data=PARTITION,
    index=FILES_DUE,
    holds="a tenant's files, for 30 days, and how many bytes they are; what is due for deletion is in the index",
)
SESSIONS = Table(
    "sessions",
    "user",
    "session",
    tenant_data=OWNERS,
    ttl_attribute="ttl",
    holds="where people are signed in: hash of the refresh token, and the latest rotations",
)
CHALLENGES = Table(
    "challenges",
    "id",
    tenant_data=expires(1),
    ttl_attribute="ttl",
    holds="codes and challenges that were sent and wait for an answer, for minutes",
)
LIMITS = Table(
    "limits",
    "id",
    tenant_data=expires(2),
    ttl_attribute="ttl",
    holds="moments of the latest requests of an address, for the limits of public routes",
)
AUDIT = Table(
    "audit",
    "tenant",
    "event",
    tenant_data=PARTITION,
    ttl_attribute="ttl",
    holds="who changed what in a tenant, for 90 days; append-only",
)

TABLES = (
    KEYS,
    WALLETS,
    LEDGER,
    TENANTS,
    DOMAINS,
    IDEMPOTENCY,
    OUTBOX,
    WEBHOOKS,
    DELIVERIES,
    RESPONSES,
    IMAGES,
    FILES,
    SESSIONS,
    CHALLENGES,
    LIMITS,
    AUDIT,
)


def physical_name(stage: str, table: Table) -> str:
    """Name of `table` in `stage`."""
    return f"callmissed-{stage}-{table.name}"


def create_table_request(stage: str, table: Table) -> dict[str, Any]:
    """The `CreateTable` request for `table`, as the local stack and the tests create it."""
    names = [name for name in (table.partition_key, table.sort_key) if name]
    indexed = [table.index.partition_key, table.index.sort_key] if table.index else []
    request: dict[str, Any] = {
        "TableName": physical_name(stage, table),
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(*names),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in dict.fromkeys([*names, *indexed])
        ],
    }
    if table.index:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(table.index.shows)}
        index = {"IndexName": table.index.name, "KeySchema": _key_schema(*indexed), "Projection": projection}
        request["GlobalSecondaryIndexes"] = [index]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    return request


def _key_schema(partition_key: str, sort_key: str | None = None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition_key, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": sort_key, "KeyType": "RANGE"}] if sort_key else [])
