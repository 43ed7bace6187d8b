"""Whether a tenant is served.

The status is in the tenant's record, and copied to where calls are admitted, so that no call reads it apart:

    record          people: the authorizer reads it with the session
    wallets         holds: the status is a condition of the write that places one
    key items       calls with an API key: the status is a condition of the write that admits one
    webhooks        deliveries: read with the webhook
"""

from enum import StrEnum

from callmissed.aws.attributes import Item
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.platform.tables import WEBHOOKS


class TenantStatus(StrEnum):
    """What a tenant may do. An operator suspends; the owner deactivates, and may reactivate."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    DELETING = "deleting"


INACTIVE = frozenset(TenantStatus) - {TenantStatus.ACTIVE}

_MARK = "TENANT"


def webhooks_key(tenant_id: str) -> Item:
    """Key of the item of the table `webhooks` that says whether the tenant's webhooks get deliveries."""
    return {"tenant": tenant_id, "webhook": _MARK}


def stops_deliveries(item: Item) -> bool:
    """Whether the item of `webhooks_key`, empty where there is none, stops deliveries."""
    return bool(item.get("stopped"))


def mark_webhooks(tenant_id: str, status: TenantStatus) -> WriteOperation:
    """Stop the tenant's deliveries, or let them go on."""
    stopped = {"stopped": status is not TenantStatus.ACTIVE}
    return update_operation(WEBHOOKS, webhooks_key(tenant_id), set=stopped, upsert=True)
