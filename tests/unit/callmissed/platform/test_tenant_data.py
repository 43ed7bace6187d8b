"""Every place declares how a tenant's data leaves it, and the declaration fits the place."""

import pytest

from callmissed.platform.queues import QUEUES, Queue
from callmissed.platform.resources import RESOURCES, Resource, ResourceKind
from callmissed.platform.tables import TABLES, Index, Table
from callmissed.platform.tenant_data import NO_TENANT_DATA, Export, Purge, TenantData, kept

INDEXES = tuple(index for table in TABLES for index in table.indexes)
BUCKETS = tuple(resource for resource in RESOURCES if resource.kind is ResourceKind.BUCKET)
SECRETS = tuple(resource for resource in RESOURCES if resource not in BUCKETS)


def test_nothing_can_be_declared_without_its_tenants_data() -> None:
    for incomplete in (
        lambda: Table("things", "id"),  # pyright: ignore[reportCallIssue]
        lambda: Index("by-name", "name", "id"),  # pyright: ignore[reportCallIssue]
        lambda: Queue("things", consumer="worker", visibility_seconds=180),  # pyright: ignore[reportCallIssue]
        lambda: Resource("things", ResourceKind.BUCKET, "{stage}", (), holds=""),  # pyright: ignore[reportCallIssue]
    ):
        with pytest.raises(TypeError, match="tenant_data"):
            incomplete()


@pytest.mark.parametrize("place", [*TABLES, *INDEXES], ids=lambda place: place.name)
def test_items_that_are_purged_by_partition_are_found_by_the_tenant(place: Table | Index) -> None:
    if place.tenant_data.purge in (Purge.PARTITION, Purge.PARTITION_AND_OWNERS):
        assert place.partition_key == "tenant"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_items_that_expire_have_a_lifetime(table: Table) -> None:
    if table.tenant_data.purge is Purge.EXPIRES:
        assert table.ttl_attribute is not None


@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda bucket: bucket.name)
def test_objects_that_expire_are_gone_by_the_declared_day(bucket: Resource) -> None:
    if bucket.tenant_data.purge is Purge.EXPIRES:
        assert bucket.expires_days is not None
        assert bucket.expires_days < (bucket.tenant_data.days or 0)


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_messages_are_gone_by_the_declared_day(queue: Queue) -> None:
    assert (queue.tenant_data.purge, queue.tenant_data.days) == (Purge.EXPIRES, 14)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_secrets_and_the_bus_keep_nothing_of_tenants(secret: Resource) -> None:
    assert secret.tenant_data == NO_TENANT_DATA or secret.tenant_data.purge is Purge.EXPIRES


def test_what_a_stage_keeps_of_a_tenant_is_its_accounts_and_nothing_else() -> None:
    assert [table.name for table in TABLES if table.tenant_data.purge is Purge.KEPT] == ["ledger", "billing"]


@pytest.mark.parametrize(
    ("purge", "days", "why"), [(Purge.EXPIRES, None, ""), (Purge.KEPT, None, ""), (Purge.PARTITION, 3, "")]
)
def test_a_declaration_is_complete(purge: Purge, days: int | None, why: str) -> None:
    with pytest.raises(ValueError, match="needs its days"):
        TenantData(Export.NOTHING, purge, days=days, why=why)
    assert kept("because").why
