"""Two clients, and items that both know."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.ids import new_id
from callmissed.platform.tables import LEDGER, WALLETS
from local.aws.tables import StageTables
from tests.support.aws.two_clients import FULL, ClientPair, named


@pytest.fixture(scope="session")
async def clients(new_tables: Callable[[], StageTables]) -> AsyncIterator[ClientPair]:
    """Shared by these tests; each has items of its own."""
    clients = ClientPair(new_tables(), new_tables())
    yield clients
    await clients.close()


@pytest.fixture
def id() -> str:
    """Id of an item that no other test knows."""
    return new_id("tnt")


@pytest.fixture
async def wallet(clients: ClientPair, id: str) -> dict[str, Any]:
    """An item with everything in it, and how requests name it."""
    await clients.both("PutItem", {"TableName": named(WALLETS), "Item": to_item({"id": id} | FULL)})
    return {"TableName": named(WALLETS), "Key": to_item({"id": id})}


@pytest.fixture(scope="session")
async def tenant(clients: ClientPair) -> str:
    """A tenant with seven entries, which tests only read."""
    tenant = new_id("tnt")
    for number in range(7):
        item = to_item({"tenant": tenant, "entry": f"{number:024d}", "amount": number, "odd": bool(number % 2)})
        await clients.both("PutItem", {"TableName": named(LEDGER), "Item": item})
    return tenant


@pytest.fixture
def entries(tenant: str) -> dict[str, Any]:
    """A query for the tenant's entries."""
    return {
        "TableName": named(LEDGER),
        "KeyConditionExpression": "tenant = :tenant",
        "ExpressionAttributeValues": to_item({":tenant": tenant}),
    }
