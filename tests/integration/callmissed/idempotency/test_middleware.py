"""The layer below `/api/v1`: a FastAPI application whose routes count how often they ran."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.errors import ApiError
from callmissed.idempotency.store import IdempotencyStore
from callmissed.web.app import create_api
from callmissed.web.caller import CallerOf
from callmissed.web.idempotency import LOCK_SECONDS, IdempotencyMiddleware, OperationOf
from callmissed.web.request_context import RequestContextMiddleware
from tests.support.idempotency import ManualClock, MemoryAnswers

THINGS = "/api/v1/things"
KEY = {"Idempotency-Key": "k-1"}


@dataclass
class ScriptedRoutes:
    """What the routes did, and what they do next."""

    operations: list[str] = field(default_factory=list[str])
    fails_with: list[int] = field(default_factory=list[int])
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)


router = APIRouter()


@router.api_route(THINGS, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], status_code=201)
async def things(request: Request, caller: CallerOf, operation: OperationOf) -> Any:
    routes: ScriptedRoutes = request.app.state.routes
    routes.operations.append(operation.id)
    routes.reached.set()
    if routes.gate:
        await routes.gate.wait()
    if routes.fails_with:
        status = routes.fails_with.pop(0)
        if status == 500:
            raise RuntimeError("a defect")
        raise ApiError(status, "some_code", "No.")
    given = await request.body()
    return {"id": operation.new_id("thg"), "tenant": caller.tenant, "run": len(routes.operations), "length": len(given)}


@router.post(f"{THINGS}/bytes")
async def odd(size: int = 3) -> Response:
    return Response(bytes(range(256)) * size, 202, media_type="application/x-odd")


@router.post(f"{THINGS}/nothing", status_code=204)
async def nothing(request: Request) -> None:
    request.app.state.routes.operations.append("nothing")


class Authorizer:
    """Says who calls as API Gateway's authorizer would, from headers that only these tests send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        context = {name: sent[f"caller-{name}"] for name in ("tenant", "mode") if f"caller-{name}" in sent}
        event = {"requestContext": {"authorizer": context | {"key_id": "key"}}}
        await self._app({**scope, "aws.event": event}, receive, send)


def served(routes: ScriptedRoutes, records: IdempotencyStore, clock: ManualClock) -> ASGIApp:
    api = create_api("tests", [router], routes=routes)
    return Authorizer(RequestContextMiddleware(IdempotencyMiddleware(api, records, clock)))


@pytest.fixture
def routes() -> ScriptedRoutes:
    return ScriptedRoutes()


@pytest_asyncio.fixture
async def client(
    routes: ScriptedRoutes, records: IdempotencyStore, clock: ManualClock
) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(served(routes, records, clock), raise_app_exceptions=False)
    caller = {"caller-tenant": "tnt_a", "caller-mode": "live"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://tests", headers=caller) as client:
        yield client


async def post(client: httpx2.AsyncClient, body: Any = None, **headers: str) -> httpx2.Response:
    return await client.post(THINGS, json=body or {"a": 1}, headers=KEY | headers)


def refused(response: httpx2.Response, status: int, code: str) -> None:
    assert response.status_code == status
    error = response.json()["error"]
    assert (error["code"], error["request_id"]) == (code, response.headers["x-request-id"])


async def test_a_replay_is_the_first_answer_again(client: httpx2.AsyncClient, routes: ScriptedRoutes) -> None:
    first, again = await post(client), await post(client)

    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, again.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(routes.operations) == 1


@pytest.mark.parametrize("size", [0, 3, 500, 2000])
async def test_bytes_of_any_type_and_length_are_replayed(
    client: httpx2.AsyncClient, stored_answers: MemoryAnswers, size: int
) -> None:
    answers = [await client.post(f"{THINGS}/bytes?size={size}", headers=KEY) for _ in range(2)]

    assert [(a.status_code, a.headers["content-type"]) for a in answers] == [(202, "application/x-odd")] * 2
    assert answers[0].content == answers[1].content == bytes(range(256)) * size
    assert len(stored_answers.stored) == (size * 256 > 102_400)


async def test_an_empty_answer_is_replayed(client: httpx2.AsyncClient, routes: ScriptedRoutes) -> None:
    answers = [await client.post(f"{THINGS}/nothing", headers=KEY) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    assert routes.operations == ["nothing"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_another_request_with_the_key_is_a_conflict(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, method: str
) -> None:
    await client.request(method, THINGS, json={"a": 1}, headers=KEY)

    for other in (
        client.request(method, THINGS, json={"a": 2}, headers=KEY),
        client.request(method, f"{THINGS}?b=1", json={"a": 1}, headers=KEY),
        client.request("PUT" if method == "POST" else "POST", THINGS, json={"a": 1}, headers=KEY),
    ):
        refused(await other, 409, "idempotency_conflict")
    assert len(routes.operations) == 1


async def test_while_a_run_lasts_the_same_request_waits(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, clock: ManualClock
) -> None:
    routes.gate = asyncio.Event()
    first = asyncio.create_task(post(client))
    await routes.reached.wait()

    second = await post(client)
    routes.gate.set()

    refused(second, 409, "idempotency_in_progress")
    assert second.headers["retry-after"] == "5"
    assert (await first).content == (await post(client)).content
    assert len(routes.operations) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503])
async def test_an_error_lets_the_same_operation_run_again(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, status: int
) -> None:
    routes.fails_with = [status]

    assert (await post(client)).status_code == status
    second = await post(client)

    assert (second.status_code, "idempotent-replayed" in second.headers) == (201, False)
    assert routes.operations == [routes.operations[0]] * 2


async def test_a_run_whose_task_dies_lets_the_key_run_again(client: httpx2.AsyncClient, routes: ScriptedRoutes) -> None:
    routes.gate = asyncio.Event()
    dying = asyncio.create_task(post(client))
    await routes.reached.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    routes.gate = None

    assert (await post(client)).status_code == 201


async def test_a_run_that_lost_its_lock_gives_no_answer(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, clock: ManualClock
) -> None:
    routes.gate = asyncio.Event()
    ghost = asyncio.create_task(post(client))
    await routes.reached.wait()
    gate, routes.gate = routes.gate, None
    clock.advance(LOCK_SECONDS)
    heir = await post(client)
    gate.set()

    refused(await ghost, 409, "idempotency_in_progress")
    assert (await post(client)).content == heir.content
    assert routes.operations == [routes.operations[0]] * 2


@pytest.mark.parametrize("other", [{"caller-tenant": "tnt_b"}, {"caller-mode": "test"}], ids=["tenant", "mode"])
async def test_another_caller_with_the_key_runs_its_own(
    client: httpx2.AsyncClient, routes: ScriptedRoutes, other: Mapping[str, str]
) -> None:
    mine, theirs = await post(client), await post(client, **other)

    assert (mine.json()["id"] != theirs.json()["id"], len(routes.operations)) == (True, 2)
    assert theirs.json()["tenant"] == other.get("caller-tenant", "tnt_a")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_other_methods_ignore_the_header(client: httpx2.AsyncClient, routes: ScriptedRoutes, method: str) -> None:
    for _ in range(2):
        assert (await client.request(method, THINGS, headers={"Idempotency-Key": ""})).status_code == 201

    assert len(set(routes.operations)) == 2


async def test_without_the_header_every_request_is_an_operation(
    client: httpx2.AsyncClient, routes: ScriptedRoutes
) -> None:
    for _ in range(2):
        assert (await client.post(THINGS, json={})).status_code == 201

    assert len(set(routes.operations)) == 2


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
async def test_a_key_that_is_none_is_refused(client: httpx2.AsyncClient, routes: ScriptedRoutes, key: str) -> None:
    refused(await post(client, **{"Idempotency-Key": key}), 400, "invalid_idempotency_key")

    assert routes.operations == []


async def test_who_may_not_call_gets_no_replay(client: httpx2.AsyncClient) -> None:
    await post(client)

    assert (await post(client, **{"caller-tenant": ""})).status_code == 401


async def test_without_the_table_nothing_runs(
    routes: ScriptedRoutes, clock: ManualClock, stored_answers: MemoryAnswers
) -> None:
    dynamodb = DynamoDB("us-east-1", "http://127.0.0.1:9", attempts=1)
    transport = httpx2.ASGITransport(
        served(routes, IdempotencyStore(Database(dynamodb, "test"), stored_answers), clock)
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://tests") as client:
        refused(await post(client, **{"caller-tenant": "tnt_a"}), 503, "service_unavailable")
    await dynamodb.close()

    assert routes.operations == []


async def test_a_long_answer_that_cannot_be_kept_is_not_given(
    client: httpx2.AsyncClient, stored_answers: MemoryAnswers
) -> None:
    stored_answers.unavailable = True
    refused(await client.post(f"{THINGS}/bytes?size=500", headers=KEY), 503, "service_unavailable")
    stored_answers.unavailable = False

    assert (await client.post(f"{THINGS}/bytes?size=500", headers=KEY)).status_code == 202


async def spoken(app: ASGIApp, messages: Sequence[Message]) -> list[Message]:
    """What `app` sends to a caller who says `messages`."""
    heard: list[Message] = []
    unsaid = list(messages)

    async def receive() -> Message:
        return unsaid.pop(0)

    async def send(message: Message) -> None:
        heard.append(message)

    headers = [(b"idempotency-key", b"k-1"), (b"caller-tenant", b"tnt_a"), (b"caller-mode", b"live")]
    scope = {"type": "http", "method": "POST", "path": THINGS, "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return heard


async def test_a_body_in_pieces_is_one_body(
    routes: ScriptedRoutes, records: IdempotencyStore, clock: ManualClock
) -> None:
    pieces = [{"type": "http.request", "body": piece, "more_body": piece != b"c"} for piece in (b"a", b"b", b"c")]

    _, body = await spoken(served(routes, records, clock), pieces)

    assert json.loads(body["body"])["length"] == 3


async def test_a_caller_who_leaves_within_the_body_runs_nothing(
    routes: ScriptedRoutes, records: IdempotencyStore, clock: ManualClock, client: httpx2.AsyncClient
) -> None:
    pieces = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]

    assert await spoken(served(routes, records, clock), pieces) == []

    assert routes.operations == []
    assert (await post(client)).status_code == 201


async def test_a_body_over_the_limit_is_refused(
    routes: ScriptedRoutes, records: IdempotencyStore, clock: ManualClock
) -> None:
    start, _ = await spoken(
        served(routes, records, clock), [{"type": "http.request", "body": b"x" * (4 * 2**20 + 1), "more_body": True}]
    )

    assert (start["status"], routes.operations) == (413, [])
