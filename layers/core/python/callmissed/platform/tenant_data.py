"""How a tenant's data leaves a stage: what an export shows of a place, and how a deletion clears it.

Every table, index, bucket, queue and secret declares both, so that nothing is forgotten when a tenant asks for a copy
of its data, or leaves.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Export(Enum):
    """What a tenant's export shows of a place."""

    SHOWN = auto()
    """What the API shows of the items, without secrets."""
    ELSEWHERE = auto()
    """Nothing: what is there is a copy or a helper of what another place exports."""
    NOTHING = auto()
    """Nothing: no data of tenants, or nothing that people could read, such as hashes."""


class Purge(Enum):
    """How a deletion of a tenant clears a place."""

    PARTITION = auto()
    """The tenant is the partition key of table or index: its items are found by it, and deleted."""
    PARTITION_AND_OWNERS = auto()
    """As PARTITION; and those items name others, in partitions of their own: people their e-mail addresses,
    integrations their accounts."""
    OWNERS = auto()
    """Other items of the tenant name those here: keys their secrets, users their sessions."""
    EXPIRES = auto()
    """By itself, within `days`."""
    KEPT = auto()
    """Not at all, for the reason in `why`."""


@dataclass(frozen=True, slots=True)
class TenantData:
    """A place's declaration. `days` is set with EXPIRES, `why` with KEPT."""

    export: Export
    purge: Purge
    days: int | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if (self.purge is Purge.EXPIRES) is not bool(self.days) or (self.purge is Purge.KEPT) is not bool(self.why):
            raise ValueError("what expires needs its days, and what is kept a reason")


def expires(days: int, export: Export = Export.NOTHING) -> TenantData:
    """Data that goes by itself within `days`."""
    return TenantData(export, Purge.EXPIRES, days=days)


def kept(why: str, export: Export = Export.NOTHING) -> TenantData:
    """Data that stays when a tenant goes."""
    return TenantData(export, Purge.KEPT, why=why)


NO_TENANT_DATA = kept("It has no data of tenants.")
PARTITION = TenantData(Export.SHOWN, Purge.PARTITION)
PARTITION_AND_OWNERS = TenantData(Export.SHOWN, Purge.PARTITION_AND_OWNERS)
OWNERS = TenantData(Export.SHOWN, Purge.OWNERS)
HELPERS = TenantData(Export.ELSEWHERE, Purge.OWNERS)
