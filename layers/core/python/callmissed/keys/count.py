"""The number of a tenant's keys that are not revoked: an item of the table `tenants`, `<tenant>` and `KEYS`.

It changes in the transaction of the key that it counts, so keys that are made at once can't exceed the limit.
"""

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import below, missing_or
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.platform.tables import TENANTS

MAX_KEYS_OF_TENANT = 200
"""Maximum keys of a tenant that are not revoked."""


def count_operation(tenant: str) -> WriteOperation:
    """Count one more key, if the tenant has fewer than the limit."""
    expected = {"count": missing_or(below(MAX_KEYS_OF_TENANT))}
    return update_operation(TENANTS, _key(tenant), add={"count": 1}, expected=expected, upsert=True)


def discount_operation(tenant: str) -> WriteOperation:
    """Count one key less."""
    return update_operation(TENANTS, _key(tenant), add={"count": -1}, upsert=True)


def _key(tenant: str) -> Item:
    return {"tenant": tenant, "item": "KEYS"}
