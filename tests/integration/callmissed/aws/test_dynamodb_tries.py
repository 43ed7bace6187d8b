"""What each try of a request may do: where it may go, how long it may wait, and what the observer gets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, CredentialRetrievalError

from callmissed.aws import dynamodb as module
from callmissed.aws import signing
from callmissed.aws.dynamodb import ConditionFailed, DynamoDB, Exchange, RequestRefused, Unavailable
from tests.support.aws.scripted_dynamodb import OK, FailedAnswer, ScriptedDynamoDB, refusal, serving

PUT: dict[str, Any] = {"TableName": "t", "Item": {"id": {"S": "one"}}}
THROTTLED = refusal(400, "ThrottlingException")


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedDynamoDB]:
    async with serving() as fake:
        yield fake


@pytest.fixture
def seen() -> list[Exchange]:
    """Exchanges that the client's observer got."""
    return []


@pytest.fixture
async def client(fake: ScriptedDynamoDB, seen: list[Exchange]) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", fake.endpoint, timeout_seconds=30.0, observe=seen.append)
    yield client
    await client.close()


@pytest.fixture
def longest_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client may pause before each further try, in seconds; it does not pause."""
    longest: list[float] = []

    def uniform(least: float, most: float) -> float:
        assert least == 0
        longest.append(most)
        return 0.0

    monkeypatch.setattr(module.random, "uniform", uniform)
    return longest


async def test_pauses_double_and_are_bounded(
    fake: ScriptedDynamoDB, client: DynamoDB, longest_pauses: list[float]
) -> None:
    fake.will(*[THROTTLED] * 9)

    with pytest.raises(Unavailable):
        await client.call("PutItem", PUT)

    assert longest_pauses == [0.05, 0.1, 0.2]


@pytest.mark.parametrize("attempts", [1, 2, 6])
async def test_the_number_of_tries_can_be_chosen(
    fake: ScriptedDynamoDB, longest_pauses: list[float], attempts: int
) -> None:
    client = DynamoDB("us-east-1", fake.endpoint, attempts=attempts)
    fake.will(*[THROTTLED] * 9)

    with pytest.raises(Unavailable):
        await client.call("PutItem", PUT)

    await client.close()
    assert len(fake.bodies) == attempts


async def test_an_observer_gets_every_try(
    fake: ScriptedDynamoDB, client: DynamoDB, seen: list[Exchange], longest_pauses: list[float]
) -> None:
    answered = (200, json.dumps({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}).encode())
    fake.will(THROTTLED, FailedAnswer.HANGS_UP, answered)

    await client.call("PutItem", PUT)

    assert [exchange.capacity for exchange in seen] == [0.0, 0.0, 1.0]
    assert {(exchange.operation, exchange.table) for exchange in seen} == {("PutItem", "t")}


async def test_an_observer_gets_refusals(fake: ScriptedDynamoDB, client: DynamoDB, seen: list[Exchange]) -> None:
    fake.will(refusal(400, "ConditionalCheckFailedException"), refusal(400, "ValidationException"))

    with pytest.raises(ConditionFailed):
        await client.call("PutItem", PUT)
    with pytest.raises(RequestRefused):
        await client.call("GetItem", PUT)

    assert [exchange.operation for exchange in seen] == ["PutItem", "GetItem"]


async def test_without_an_observer_a_request_is_sent_as_it_is(fake: ScriptedDynamoDB) -> None:
    client = DynamoDB("us-east-1", fake.endpoint)

    await client.call("PutItem", PUT)

    await client.close()
    assert [json.loads(body) for body in fake.bodies] == [PUT]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_signed_request_goes_nowhere_else(fake: ScriptedDynamoDB, status: int) -> None:
    async def elsewhere(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"Location": fake.endpoint})

    async with RawTestServer(elsewhere) as server:
        client = DynamoDB("us-east-1", str(server.make_url("/")))
        with pytest.raises(RequestRefused, match=str(status)):
            await client.call("PutItem", PUT)
        await client.close()

    assert fake.bodies == []


async def test_what_never_got_a_connection_was_not_applied() -> None:
    arrived, over = asyncio.Event(), asyncio.Event()

    async def hangs(_request: web.BaseRequest) -> web.Response:
        arrived.set()
        await over.wait()
        return web.Response(body=b"{}")

    async with RawTestServer(hangs) as server:
        client = DynamoDB("us-east-1", str(server.make_url("/")), attempts=1, timeout_seconds=30.0)
        connector = client._pool().connector
        assert connector is not None
        connector._limit = 1
        first = asyncio.create_task(client.call("PutItem", PUT))
        await arrived.wait()
        with pytest.raises(Unavailable) as second:
            await client.call("PutItem", PUT, resend_indeterminate=False)
        over.set()
        assert await first == {}
        await client.close()

    assert not second.value.indeterminate


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_json_that_is_too_deep_is_no_answer(fake: ScriptedDynamoDB, client: DynamoDB, status: int) -> None:
    fake.will((status, b"[" * 200_000))

    with pytest.raises(RequestRefused if status == 400 else Unavailable):
        await client.call("PutItem", PUT, resend_indeterminate=False)


async def test_an_untyped_refusal_has_its_status(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    fake.will((413, b"<html>"))

    with pytest.raises(RequestRefused, match="413"):
        await client.call("PutItem", PUT)


@pytest.mark.parametrize("resend", [True, False])
async def test_a_write_that_met_one_of_another_region_is_asked_again(
    fake: ScriptedDynamoDB, client: DynamoDB, resend: bool, longest_pauses: list[float]
) -> None:
    fake.will(refusal(409, "ReplicatedWriteConflictException"), OK)

    assert await client.call("PutItem", PUT, resend_indeterminate=resend) == {}


class Finder:
    """Finds `credentials`, and counts how often it was asked."""

    def __init__(self, credentials: Credentials | Exception | None) -> None:
        self.credentials = credentials
        self.asked = 0

    def get_credentials(self) -> Credentials | None:
        self.asked += 1
        if isinstance(self.credentials, Exception):
            raise self.credentials
        return self.credentials


@pytest.mark.parametrize(
    "found",
    [
        None,
        CredentialRetrievalError(provider="container-role", error_msg="timed out"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole"),
    ],
)
async def test_without_credentials_nothing_is_sent(
    fake: ScriptedDynamoDB, client: DynamoDB, monkeypatch: pytest.MonkeyPatch, found: Exception | None
) -> None:
    monkeypatch.setattr(signing, "_find_credentials", Finder(found).get_credentials)

    with pytest.raises(Unavailable, match="credentials") as refused:
        await client.call("PutItem", PUT, resend_indeterminate=False)

    assert not refused.value.indeterminate
    assert fake.bodies == []


async def test_credentials_are_found_once_and_forgotten_with_close(
    client: DynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder(Credentials("id", "secret"))
    monkeypatch.setattr(signing, "_find_credentials", finder.get_credentials)

    await client.call("PutItem", PUT)
    await client.call("PutItem", PUT)
    before = finder.asked
    await client.close()
    await client.call("PutItem", PUT)

    assert (before, finder.asked) == (1, 2)
