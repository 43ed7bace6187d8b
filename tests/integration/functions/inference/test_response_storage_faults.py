"""Responses whose storage fails: the reply is paid for and leaves, and says that it is not stored."""

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.clients import client as aws_client
from callmissed.aws.dynamodb import DynamoDB
from local.aws.engines import moto_server
from local.aws.tables import StageTables
from tests.support.aws.dynamodb_proxy import DynamoProxy, Fault, Step
from tests.support.inference.gateway import REGION, Account, Accounts, gateway_at_work, settings_for
from tests.support.inference.stored_responses import store_of
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import RESPONSES, refused, respond, response_events, whole_response

REPORTED = 11 * 50 + 7 * 150
KEYED = {"Idempotency-Key": "once"}
BUCKET = "stored-responses"
NOISE = random.Random(7).randbytes(150_000).hex()
"""Text that compression does not bring below the inline limit."""

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
LASTING = pytest.mark.parametrize(
    "fault", [Fault.THROTTLE, Fault.FAIL, Fault.REFUSE, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.STALL]
)
KEPT = pytest.mark.parametrize("step", [Step.KEEP_RESPONSE, Step.KEEP_ITEM], ids=str)
PASSING = pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.FAIL, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])


@pytest.fixture(scope="module")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("moto")
    with moto_server(folder / "moto.log") as endpoint:
        yield endpoint


@pytest_asyncio.fixture(scope="module")
async def client(
    shared_proxy: DynamoProxy, store: StageTables, providers_file: Path, s3_endpoint: str
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose DynamoDB is behind the proxy, and whose long responses are in S3."""
    dynamodb = DynamoDB(REGION, shared_proxy.url, timeout_seconds=0.3)
    place = f"{BUCKET}/inference"
    settings = replace(settings_for(store, providers_file), aws_endpoint=s3_endpoint, stored_responses_bucket=place)
    aws_client("s3", settings).create_bucket(Bucket=BUCKET)
    with gateway_at_work(settings, dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=60, trust_env=False) as client:
            yield client


@pytest_asyncio.fixture
async def account(accounts: Accounts) -> Account:
    return await accounts.account(credits=10**6)


def objects_in(s3_endpoint: str, store: StageTables, providers_file: Path) -> list[str]:
    """Names of the objects in S3."""
    settings = replace(settings_for(store, providers_file), aws_endpoint=s3_endpoint)
    listed = aws_client("s3", settings).list_objects_v2(Bucket=BUCKET)
    return [each.get("Key", "") for each in listed.get("Contents", [])]


async def status_of(client: httpx2.AsyncClient, account: Account, response: dict[str, Any]) -> int:
    return (await client.get(f"{RESPONSES}/{response['id']}", headers=account.headers)).status_code


@PASSING
@KEPT
@STREAMED
async def test_a_passing_fault_is_not_noticed(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
    step: Step,
    streamed: bool,
) -> None:
    proxy.plan(fault, step, times=1)

    response = whole_response(await respond(client, account, stream=streamed))

    assert response["store"] is True
    assert await status_of(client, account, response) == 200
    assert await accounts.assert_balanced(account) == REPORTED


@LASTING
@KEPT
@STREAMED
async def test_a_reply_that_can_not_be_stored_is_paid_for_and_says_so(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    capsys: pytest.CaptureFixture[str],
    fault: Fault,
    step: Step,
    streamed: bool,
) -> None:
    proxy.plan(fault, step)

    answer = await respond(client, account, stream=streamed)

    response = whole_response(answer)
    assert (response["store"], response["status"]) == (False, "completed")
    assert response["output"][0]["content"][0]["text"].startswith("Hello there")
    if streamed:
        events = response_events(answer.content)
        assert [event["sequence_number"] for event in events] == [*range(len(events))]
        assert events[-1]["type"] == "response.completed"
    assert '"ResponseNotStored":[1.0]' in capsys.readouterr().out
    await proxy.heal()
    assert await accounts.assert_balanced(account) == REPORTED
    assert len(upstream.requests) == 1


async def test_what_is_not_stored_can_not_be_continued(
    client: httpx2.AsyncClient, account: Account, proxy: DynamoProxy, upstream: FakeUpstream
) -> None:
    proxy.plan(Fault.FAIL, Step.KEEP_RESPONSE)
    response = whole_response(await respond(client, account))
    await proxy.heal()

    answer = await respond(client, account, previous_response_id=response["id"])

    refused(answer, 404, "previous_response_not_found")


async def test_every_replay_says_that_the_response_is_not_stored(
    client: httpx2.AsyncClient, accounts: Accounts, account: Account, proxy: DynamoProxy, upstream: FakeUpstream
) -> None:
    proxy.plan(Fault.FAIL, Step.KEEP_RESPONSE)

    first = await respond(client, account, KEYED)
    await proxy.heal()
    again = await respond(client, account, KEYED)

    assert first.json()["store"] is False
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert await accounts.assert_balanced(account) == REPORTED


@pytest.mark.parametrize("fault", [Fault.FAIL, Fault.LOSE_REQUEST])
async def test_a_reply_that_no_retry_can_get_leaves_no_response(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
) -> None:
    proxy.plan(fault, Step.COMPLETE)

    refused(await respond(client, account, KEYED), 503, "service_unavailable")

    await proxy.heal()
    assert proxy.seen.count(Step.KEEP_RESPONSE) == 1
    assert await store_of(accounts).delete_all(account.tenant) == 0
    assert await accounts.assert_balanced(account) == 0


@STREAMED
async def test_what_can_not_be_charged_is_not_stored(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    streamed: bool,
) -> None:
    proxy.plan(Fault.FAIL, Step.ENTRY)

    answer = await respond(client, account, stream=streamed)

    if streamed:
        assert response_events(answer.content)[-1]["type"] == "response.failed"
    else:
        refused(answer, 503, "service_unavailable")
    assert Step.KEEP_RESPONSE not in proxy.seen
    await proxy.heal()
    await accounts.sweep()
    assert await accounts.assert_balanced(account) == 0


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.FAIL, Fault.LOSE_ANSWER, Fault.STALL])
async def test_a_response_that_can_not_be_read_is_503_and_holds_nothing(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
) -> None:
    response = whole_response(await respond(client, account))
    before = await accounts.wallet(account.tenant)
    proxy.plan(fault, Step.READ_RESPONSE)

    for answer in (
        await respond(client, account, previous_response_id=response["id"]),
        await client.get(f"{RESPONSES}/{response['id']}", headers=account.headers),
        await client.delete(f"{RESPONSES}/{response['id']}", headers=account.headers),
    ):
        refused(answer, 503, "service_unavailable", type="api_error")

    await proxy.heal()
    assert await accounts.wallet(account.tenant) == before
    assert len(upstream.requests) == 1


@STREAMED
async def test_a_long_conversation_lives_in_s3(
    client: httpx2.AsyncClient,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    s3_endpoint: str,
    store: StageTables,
    providers_file: Path,
    streamed: bool,
) -> None:
    first = whole_response(await respond(client, account, input=NOISE, stream=streamed))
    second = whole_response(await respond(client, account, previous_response_id=first["id"], stream=streamed))

    assert (first["store"], second["store"]) == (True, True)
    names = [f"inference/{response['id']}" for response in (first, second)]
    assert set(names) <= set(objects_in(s3_endpoint, store, providers_file))
    assert upstream.requests[-1].body["messages"][0]["content"] == NOISE
    url = f"{RESPONSES}/{first['id']}"
    assert (await client.get(url, headers=account.headers)).json() == first
    assert (await client.delete(url, headers=account.headers)).json()["deleted"]
    assert names[0] not in objects_in(s3_endpoint, store, providers_file)
    assert await status_of(client, account, second) == 200


async def test_a_long_response_that_s3_does_not_take_is_paid_for_and_says_so(
    accounts: Accounts, account: Account, store: StageTables, providers_file: Path, upstream: FakeUpstream
) -> None:
    with gateway_at_work(settings_for(store, providers_file)) as gateway:  # without a bucket
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=60, trust_env=False) as client:
            response = whole_response(await respond(client, account, input=NOISE))
            assert await status_of(client, account, response) == 404

    assert response["store"] is False
    assert await accounts.assert_balanced(account) > 0
