"""A request below `/api/v1` whose task is cancelled while the last write of its run hangs: the write goes on."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.idempotency.store import IdempotencyStore
from local.aws.tables import StageTables
from tests.integration.callmissed.idempotency.test_middleware import ScriptedRoutes, client, post, routes
from tests.support.idempotency import MemoryAnswers
from tests.support.interleaving import InterleavingDynamoDB

__all__ = ["client", "routes"]

WAIT_SECONDS = 20


@pytest_asyncio.fixture
async def dynamodb(tables: StageTables) -> AsyncIterator[InterleavingDynamoDB]:
    dynamodb = InterleavingDynamoDB(tables.endpoint)
    yield dynamodb
    await dynamodb.close()
    assert dynamodb.pending == 0


@pytest.fixture
def records(dynamodb: DynamoDB, tables: StageTables, stored_answers: MemoryAnswers) -> IdempotencyStore:
    return IdempotencyStore(Database(dynamodb, tables.stage), stored_answers)


async def cancelled_in(
    client: httpx2.AsyncClient, dynamodb: InterleavingDynamoDB, update: str, then: Exception | None = None
) -> None:
    """Send a request, cancel its task while the write beginning with `update` hangs; let the write go, or fail."""
    reached, let_go, before = asyncio.Event(), asyncio.Event(), asyncio.all_tasks()

    async def hang() -> None:
        reached.set()
        await let_go.wait()
        if then:
            raise then

    dynamodb.before("UpdateItem", hang, matching=lambda request: request["UpdateExpression"].startswith(update))
    request = asyncio.create_task(post(client))
    await asyncio.wait_for(reached.wait(), WAIT_SECONDS)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    let_go.set()
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)


async def test_answer_is_stored_when_its_task_is_cancelled(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, dynamodb: InterleavingDynamoDB
) -> None:
    await cancelled_in(client, dynamodb, "SET sc")

    again = await post(client)

    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert len(routes.operations) == 1


@pytest.mark.parametrize("status", [500, 503])
async def test_key_is_released_when_the_task_of_a_failed_run_is_cancelled(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, dynamodb: InterleavingDynamoDB, status: int
) -> None:
    routes.fails_with = [status]
    await cancelled_in(client, dynamodb, "SET st = :free")

    again = await post(client)

    assert (again.status_code, "idempotent-replayed" in again.headers) == (201, False)
    assert routes.operations == [routes.operations[0]] * 2


async def test_key_is_released_when_the_answer_of_a_cancelled_task_cannot_be_stored(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, dynamodb: InterleavingDynamoDB
) -> None:
    await cancelled_in(client, dynamodb, "SET sc", then=RuntimeError("not stored"))

    again = await post(client)

    assert (again.status_code, "idempotent-replayed" in again.headers) == (201, False)
    assert routes.operations == [routes.operations[0]] * 2
