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
    indexes: tuple[Index, ...] = ()
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
    indexes=(DUE,),
    holds="deliveries, attempts and replays of a webhook, for 30 days; what is due is in the index",
)
RESPONSES_OF_TENANT = Index("tenant", "tenant", "id", tenant_data=PARTITION, shows=("in_s3",))
RESPONSES = Table(
    "responses",
    "id",
    tenant_data=OWNERS,
    ttl_attribute="ttl",
    indexes=(RESPONSES_OF_TENANT,),
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
    indexes=(FILES_DUE,),
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
BOTS = Table(
    "bots",
    "tenant",
    "item",
    tenant_data=PARTITION_AND_OWNERS,
    holds="a tenant's bots, WhatsApp accounts and phone numbers, with their credentials sealed",
)
CHANGED_CONVERSATIONS = Index("changed", "tenant", "changed", tenant_data=PARTITION)
DUE_CONVERSATIONS = Index("due", "shard", "due", tenant_data=HELPERS)
CONVERSATIONS = Table(
    "conversations",
    "tenant",
    "item",
    tenant_data=PARTITION,
    indexes=(CHANGED_CONVERSATIONS, DUE_CONVERSATIONS),
    holds="a tenant's conversations, the end users by number and id, hand-offs and counts of months; in the indexes, "
    "conversations by their last change, and those that wait for work",
)
MESSAGES_BY_WAMID = Index("wamid", "wamid", "item", tenant_data=HELPERS)
MESSAGES = Table(
    "messages",
    "thread",
    "item",
    tenant_data=OWNERS,
    stream=True,
    indexes=(MESSAGES_BY_WAMID,),
    holds="messages and turns of a conversation, in their order; WhatsApp's own ids are in the index",
)
WORDS = Table(
    "words",
    "word",
    "message",
    tenant_data=HELPERS,
    holds="which messages of a tenant have a word, for the search",
)
BILLING_OF_TENANT = Index("tenant", "tenant", "created", tenant_data=HELPERS)
BILLING_DUE = Index("due", "shard", "due", tenant_data=HELPERS)
BILLING = Table(
    "billing",
    "id",
    "item",
    tenant_data=kept("Accounts are kept as long as the law asks; orders name people by their ids only.", Export.SHOWN),
    indexes=(BILLING_OF_TENANT, BILLING_DUE),
    holds="purchase orders with their payments and refunds, subscriptions, coupons, the last import of prices; in the "
    "indexes, a tenant's orders by time, and what is to be looked at again",
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
    BOTS,
    CONVERSATIONS,
    MESSAGES,
    WORDS,
    BILLING,
)


def physical_name(stage: str, table: Table) -> str:
    """Name of `table` in `stage`."""
    return f"callmissed-{stage}-{table.name}"


def create_table_request(stage: str, table: Table) -> dict[str, Any]:
    """The `CreateTable` request for `table`, as the local stack and the tests create it."""
    names = [name for name in (table.partition_key, table.sort_key) if name]
    indexed = [name for index in table.indexes for name in (index.partition_key, index.sort_key)]
    request: dict[str, Any] = {
        "TableName": physical_name(stage, table),
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(*names),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in dict.fromkeys([*names, *indexed])
        ],
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [_index_request(index) for index in table.indexes]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    return request


def _index_request(index: Index) -> dict[str, Any]:
    shown = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.shows)}
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.partition_key, index.sort_key),
        "Projection": shown if index.shows else {"ProjectionType": "KEYS_ONLY"},
    }


def _key_schema(partition_key: str, sort_key: str | None = None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition_key, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": sort_key, "KeyType": "RANGE"}] if sort_key else [])
