"""What the client makes of an unwell DynamoDB: how often it asks again, and whether a write may have happened."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from callmissed.aws import dynamodb as module
from callmissed.aws.dynamodb import ConditionFailed, DynamoDB, RequestRefused, TransactionCanceled, Unavailable
from tests.support.aws.scripted_dynamodb import OK, FailedAnswer, ScriptedDynamoDB, Step, refusal, serving

NOT_APPLIED = [
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
]
PERHAPS_APPLIED: list[Step] = [
    refusal(500, "InternalServerError"),
    refusal(503, "ServiceUnavailable"),
    (502, b"<html>Bad Gateway</html>"),
    (500, b"[]"),
    (200, b"{"),
    (200, b"[]"),
    (200, b""),
    FailedAnswer.HANGS,
    FailedAnswer.HANGS_UP,
    FailedAnswer.BREAKS_OFF,
]


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is how often the client asks, not how long it waits in between."""
    monkeypatch.setattr(module, "_BACKOFF_SECONDS", 0.0)


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedDynamoDB]:
    async with serving() as fake:
        yield fake


@pytest.fixture
async def client(fake: ScriptedDynamoDB) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", fake.endpoint, timeout_seconds=0.2)
    yield client
    await client.close()


def put(client: DynamoDB, **options: bool) -> Awaitable[dict[str, Any]]:
    """A write like any other."""
    return client.call("PutItem", {"TableName": "t", "Item": {"id": {"S": "one"}}}, **options)


@pytest.mark.parametrize("code", NOT_APPLIED)
@pytest.mark.parametrize("resend", [True, False])
async def test_what_was_not_applied_is_asked_again(
    fake: ScriptedDynamoDB, client: DynamoDB, code: str, resend: bool
) -> None:
    fake.will(refusal(400, code), refusal(400, code), OK)
    assert await put(client, resend_indeterminate=resend) == {}
    assert len(fake.bodies) == 3
    assert len(set(fake.bodies)) == 1, "every try is the same request"


@pytest.mark.parametrize("code", NOT_APPLIED)
async def test_the_tries_are_bounded(fake: ScriptedDynamoDB, client: DynamoDB, code: str) -> None:
    fake.will(*[refusal(400, code)] * 9)
    with pytest.raises(Unavailable, match=code) as caught:
        await put(client)
    assert (caught.value.indeterminate, len(fake.bodies)) == (False, 4)


@pytest.mark.parametrize("step", PERHAPS_APPLIED, ids=str)
async def test_what_may_have_been_applied_is_asked_again_where_that_is_safe(
    fake: ScriptedDynamoDB, client: DynamoDB, step: Step
) -> None:
    fake.will(step, step, OK)
    assert await put(client) == {}
    assert len(fake.bodies) == 3


@pytest.mark.parametrize("step", PERHAPS_APPLIED, ids=str)
async def test_what_may_have_been_applied_is_not_asked_again_where_that_is_unsafe(
    fake: ScriptedDynamoDB, client: DynamoDB, step: Step
) -> None:
    fake.will(step)
    with pytest.raises(Unavailable) as caught:
        await put(client, resend_indeterminate=False)
    assert (caught.value.indeterminate, len(fake.bodies)) == (True, 1)


@pytest.mark.parametrize("step", PERHAPS_APPLIED, ids=str)
async def test_a_doubt_is_not_forgotten_by_a_later_throttling(
    fake: ScriptedDynamoDB, client: DynamoDB, step: Step
) -> None:
    fake.will(step, *[refusal(400, "ThrottlingException")] * 9)
    with pytest.raises(Unavailable) as caught:
        await put(client)
    assert (caught.value.indeterminate, len(fake.bodies)) == (True, 4)


async def test_a_refused_connection_is_no_doubt() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets the port, and nobody answers
        client = DynamoDB("us-east-1", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        with pytest.raises(Unavailable) as caught:
            await put(client, resend_indeterminate=False)
    await client.close()
    assert not caught.value.indeterminate


async def test_a_failed_condition_carries_the_item_as_it_was(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    item = {"id": {"S": "one"}, "n": {"N": "7"}}
    fake.will(refusal(400, "ConditionalCheckFailedException", Item=item))
    with pytest.raises(ConditionFailed) as caught:
        await put(client)
    assert caught.value.item == {"id": "one", "n": 7}
    assert len(fake.bodies) == 1


async def test_a_cancelled_transaction_has_each_reason(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no"}]
    fake.will(refusal(400, "TransactionCanceledException", CancellationReasons=reasons))
    with pytest.raises(TransactionCanceled) as caught:
        await put(client)
    assert caught.value.reasons == ["None", "ConditionalCheckFailed"]
    assert len(fake.bodies) == 1


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
async def test_a_transaction_that_only_met_another_is_asked_again(
    fake: ScriptedDynamoDB, client: DynamoDB, code: str
) -> None:
    cancelled = refusal(400, "TransactionCanceledException", CancellationReasons=[{"Code": "None"}, {"Code": code}])
    fake.will(cancelled, OK)
    assert await put(client, resend_indeterminate=False) == {}
    assert len(fake.bodies) == 2


@pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
async def test_a_transaction_that_can_never_pass_is_not_asked_again(
    fake: ScriptedDynamoDB, client: DynamoDB, code: str
) -> None:
    fake.will(*[refusal(400, "TransactionCanceledException", CancellationReasons=[{"Code": code}])] * 9)
    with pytest.raises(RequestRefused, match=code):
        await put(client)
    assert len(fake.bodies) == 1


@pytest.mark.parametrize(
    "step",
    [
        refusal(400, "ValidationException"),
        refusal(400, "ResourceNotFoundException"),
        refusal(400, "AccessDeniedException"),
        refusal(400, "IdempotentParameterMismatchException"),
        (400, b"not JSON"),
        (400, b"[]"),
        (404, b""),
    ],
    ids=str,
)
async def test_a_wrong_request_is_not_asked_again(fake: ScriptedDynamoDB, client: DynamoDB, step: Step) -> None:
    fake.will(*[step] * 9)
    with pytest.raises(RequestRefused):
        await put(client)
    assert len(fake.bodies) == 1


async def test_calls_share_one_connection(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    for _ in range(5):
        await put(client)
    assert len(fake.connections) == 1


async def test_a_connection_that_dynamodb_closed_is_replaced(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    fake.will(FailedAnswer.ANSWERS_AND_CLOSES, OK)
    assert await put(client) == {}
    assert await put(client) == {}
    assert len(fake.connections) == 2


async def test_after_close_a_call_opens_anew(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    await put(client)
    await client.close()
    await client.close()
    await put(client)
    assert len(fake.connections) == 2


async def test_the_request_is_what_was_asked_for(fake: ScriptedDynamoDB, client: DynamoDB) -> None:
    request = {"TableName": "t", "Key": {"id": {"S": "é"}}}
    await client.call("GetItem", request)
    (headers,), (body,) = fake.headers, fake.bodies
    assert json.loads(body) == request
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=local/")


async def test_an_observer_sees_the_units_of_each_request(fake: ScriptedDynamoDB) -> None:
    seen: list[module.Exchange] = []
    client = DynamoDB("us-east-1", fake.endpoint, observe=seen.append)
    one = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}
    many = {"ConsumedCapacity": [{"TableName": "a", "CapacityUnits": 2.0}, {"TableName": "b", "CapacityUnits": 4.0}]}
    fake.will((200, json.dumps(one).encode()), (200, json.dumps(many).encode()), OK)
    await put(client)
    await client.call("TransactWriteItems", {"TransactItems": []})
    await put(client)
    await client.close()
    assert [(exchange.operation, exchange.table, exchange.capacity) for exchange in seen] == [
        ("PutItem", "t", 1.0),
        ("TransactWriteItems", "", 6.0),
        ("PutItem", "t", 0.0),
    ]
    assert all(json.loads(body)["ReturnConsumedCapacity"] == "TOTAL" for body in fake.bodies)
