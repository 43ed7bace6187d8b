"""What a stored response asks of DynamoDB: one write beside the settlement, and one read before a chained call."""

from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from tests.support.counting import Count, CountingDynamoDB
from tests.support.inference.gateway import Accounts
from tests.support.inference.stored_responses import reference, user
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import RESPONSES, refused, respond, whole_response

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
ADMIT, HOLD, ENTRY, APPLY = "UpdateItem keys", "UpdateItem wallets", "PutItem ledger", "UpdateItem wallets"
READ, KEEP = "GetItem responses", "PutItem responses"
DELETE = "DeleteItem responses"
ANSWER = "UpdateItem idempotency"
FIND = "BatchGetItem "
"""A read of several items; the table is in its request."""

WITH_INDEX = 2
"""Write units of a short record, or of the pointer to an item: the item, and its place in the index."""


@STREAMED
async def test_a_stored_response_is_one_write_and_no_round_trip_more(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count, asked: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account(budget=10**10)

    assert whole_response(await respond(client, account, stream=streamed))["store"]

    assert count.before_upstream == 2
    assert count.operations[:3] == [ADMIT, HOLD, ENTRY]
    assert sorted(count.operations[3:]) == sorted([APPLY, ADMIT, KEEP, KEEP])
    assert (count.rounds, count.reads, count.transactions) == (4, 0, 0)
    assert count.units == 5 + 2 * WITH_INDEX


@STREAMED
async def test_a_chained_call_is_one_read_more_however_long_the_chain(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB, asked: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    response = whole_response(await respond(client, account))
    for _ in range(5):
        count = dynamodb.restart()

        chained = {"previous_response_id": response["id"]}
        response = whole_response(await respond(client, account, stream=streamed, **chained))

        assert count.before_upstream == 3
        assert count.operations[:4] == [READ, ADMIT, HOLD, ENTRY]
        assert sorted(count.operations[4:]) == sorted([APPLY, KEEP, KEEP])
        assert (count.rounds, count.reads, count.transactions) == (5, 1, 0)


@STREAMED
@pytest.mark.parametrize("chained", [False, True], ids=["alone", "chained"])
async def test_references_are_two_reads_more_however_long_the_conversation(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    dynamodb: CountingDynamoDB,
    asked: FakeUpstream,
    streamed: bool,
    chained: bool,
) -> None:
    account = await accounts.account()
    given: list[Any] = [user("Hello")]
    more: dict[str, Any] = {}
    for number in range(4):
        count = dynamodb.restart()

        response = whole_response(await respond(client, account, input=given, stream=streamed, **more))

        before = [READ] * ("previous_response_id" in more) + [FIND, FIND] * bool(number)
        assert count.operations[: len(before) + 3] == [*before, ADMIT, HOLD, ENTRY]
        assert count.rounds == 4 + len(before)
        given += [reference(item["id"]) for item in response["output"]] + [user("go on")]
        if chained and not number:
            elsewhere = whole_response(await respond(client, account))
            more["previous_response_id"] = elsewhere["id"]


async def test_references_to_items_of_the_conversation_before_are_no_read_more(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB, asked: FakeUpstream
) -> None:
    account = await accounts.account()
    response = whole_response(await respond(client, account))
    given = [reference(response["output"][0]["id"]), user("go on")]
    count = dynamodb.restart()

    assert whole_response(await respond(client, account, input=given, previous_response_id=response["id"]))["status"]

    assert (count.operations[:2], count.rounds) == ([READ, ADMIT], 5)


async def test_with_an_idempotency_key_the_response_is_stored_before_the_answer(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count
) -> None:
    account = await accounts.account()

    assert (await respond(client, account, {"Idempotency-Key": "counted"})).json()["store"]

    assert count.operations == [ADMIT, ANSWER, HOLD, KEEP, KEEP, ANSWER, ENTRY, APPLY]
    assert count.rounds == 7


async def test_a_test_keys_response(client: httpx2.AsyncClient, accounts: Accounts, count: Count) -> None:
    account = await accounts.account(mode=Mode.TEST)

    assert (await respond(client, account)).json()["store"]

    assert count.operations == [ADMIT, ENTRY, KEEP, KEEP]


async def test_looking_at_a_response_is_a_write_and_a_read_and_deleting_it_one_write_more_for_each_item(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account()
    url = f"{RESPONSES}/{(await respond(client, account)).json()['id']}"
    for path in ("", "/input_items"):
        count = dynamodb.restart()
        assert (await client.get(url + path, headers=account.headers)).status_code == 200
        assert count.operations == [ADMIT, READ]
    count = dynamodb.restart()

    assert (await client.delete(url, headers=account.headers)).status_code == 200

    assert count.operations == [ADMIT, READ, DELETE, DELETE]


async def test_garbage_for_a_key_or_an_id_reads_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count
) -> None:
    account = await accounts.account()
    stranger = {"Authorization": "Bearer cm_live_garbage"}
    response_id = "resp_" + "0" * 24

    refused(await client.get(f"{RESPONSES}/{response_id}", headers=stranger), 401, "invalid_api_key")
    body = {"model": "lab-chat", "input": "x", "previous_response_id": response_id}
    refused(await client.post(RESPONSES, json=body, headers=stranger), 401, "invalid_api_key")
    assert count.spans == []

    refused(await respond(client, account, previous_response_id="garbage"), 404, "previous_response_not_found")
    refused(await respond(client, account, input=[reference("garbage")]), 404, "item_not_found")
    assert count.operations == [ADMIT, ADMIT]
