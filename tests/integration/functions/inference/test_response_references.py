"""References to stored items over HTTP: a conversation goes on, and nobody learns of items that are not theirs."""

from typing import Any

import httpx2
import pytest

from callmissed.clock import SECOND, system_clock
from callmissed_ai.services.responses_store.records import RETENTION_SECONDS, Owner
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.stored_responses import assistant, reference, store_of, stored_response, user
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import RESPONSES, refused, respond, whole_response

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
ABSENT = "msg_" + "0" * 24
WEATHER = {"type": "function", "name": "weather", "parameters": {}}


def roles(upstream: FakeUpstream) -> list[str]:
    return [message["role"] for message in upstream.requests[-1].body["messages"]]


async def stored_item(accounts: Accounts, account: Account, **fields: Any) -> str:
    """Id of an item that the account's live key has stored."""
    stored = stored_response(Owner(account.tenant), **fields)
    await store_of(accounts).put(stored)
    return stored.response["output"][0]["id"]


@STREAMED
async def test_a_tool_loop_goes_on_by_references(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    called = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"in":"Pune"}'}}
    upstream.will(reply(completion("Let me look", tool_calls=[called], reasoning_content="They ask for weather")))
    question = user("How is the weather?")
    first = whole_response(await respond(client, account, input=[question], tools=[WEATHER]))
    ids = [item["id"] for item in first["output"]]
    assert [item["type"] for item in first["output"]] == ["reasoning", "message", "function_call"]
    result = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    given = [question, *map(reference, ids), result]

    second = whole_response(await respond(client, account, input=given, stream=streamed))

    assert roles(upstream) == ["user", "assistant", "tool"]
    assistant_message = upstream.requests[-1].body["messages"][1]
    assert (assistant_message["content"], assistant_message["tool_calls"][0]["id"]) == ("Let me look", "call_1")
    listed = (await client.get(f"{RESPONSES}/{second['id']}/input_items?order=asc", headers=account.headers)).json()
    assert [item["type"] for item in listed["data"]] == [
        *("message", "reasoning", "message", "function_call", "function_call_output")
    ]
    more = [*given, *(reference(item["id"]) for item in second["output"]), user("And tomorrow?")]
    assert whole_response(await respond(client, account, input=more, stream=streamed))["status"] == "completed"
    assert roles(upstream) == ["user", "assistant", "tool", "assistant", "user"]


async def test_a_reference_to_another_conversation_of_the_tenant_is_found_by_another_key(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    elsewhere = await stored_item(accounts, account, output=[assistant("What was said elsewhere")])
    first = whole_response(await respond(client, account))
    other = await accounts.key(account.tenant)

    body = {"model": "lab-chat", "previous_response_id": first["id"], "input": [reference(elsewhere), user("And?")]}
    answer = await client.post(RESPONSES, json=body, headers={"x-api-key": other.secret})

    assert whole_response(answer)["status"] == "completed"
    contents = [message["content"] for message in upstream.requests[-1].body["messages"]]
    assert contents == ["Hello", "Hello there", "What was said elsewhere", "And?"]


@STREAMED
@pytest.mark.parametrize("chained", [False, True], ids=["alone", "chained"])
async def test_what_is_not_ones_own_is_not_found(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool, chained: bool
) -> None:
    """A foreign item is like none, whatever else is wrong, also beside items that there are and that there aren't."""
    owner, stranger = await accounts.account(), await accounts.account(models=frozenset({"lab-chat"}), budget=10**9)
    foreign, mine = await stored_item(accounts, owner), await stored_item(accounts, stranger)
    expired = await stored_item(accounts, stranger, created=system_clock() - RETENTION_SECONDS * SECOND)
    of_test_keys = stored_response(Owner(stranger.tenant, sandboxed=True))
    await store_of(accounts).put(of_test_keys)
    sandboxed = of_test_keys.response["output"][0]["id"]
    more: dict[str, Any] = {}
    if chained:
        more["previous_response_id"] = whole_response(await respond(client, stranger))["id"]
    upstream.forget()
    before = await accounts.key_item(stranger.secret)
    faults: list[dict[str, Any]] = [{}, {"temperature": 3}, {"model": "second-chat"}, {"max_output_tokens": 10**9}]

    for fault in faults:
        for item_id in (foreign, expired, sandboxed, ABSENT, "msg_1", "garbage"):
            given = [user("Hello"), reference(mine), reference(item_id), reference(ABSENT)]
            answer = await respond(client, stranger, None, stream=streamed, input=given, **more, **fault)
            error = refused(answer, 404, "item_not_found", param="input.2.id")
            assert error["message"].startswith(f"Item with id '{item_id}' not found.")

    assert upstream.requests == []
    assert (await accounts.key_item(stranger.secret))["kb"] == before["kb"]


async def test_a_budget_that_is_used_up_shows_nothing_of_a_foreign_item(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    owner, stranger = await accounts.account(), await accounts.account(budget=1)
    foreign = await stored_item(accounts, owner)

    refused(await respond(client, stranger, input=[reference(foreign)]), 404, "item_not_found")
    mine = await stored_item(accounts, stranger)
    refused(await respond(client, stranger, input=[reference(mine), user("And?")]), 402, "budget_exceeded")


async def test_an_item_of_a_response_that_was_not_stored_or_is_deleted_is_not_found(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    unstored = whole_response(await respond(client, account, store=False))
    deleted = whole_response(await respond(client, account))
    await client.delete(f"{RESPONSES}/{deleted['id']}", headers=account.headers)

    for each in (unstored, deleted):
        given = [reference(each["output"][0]["id"]), user("And?")]
        refused(await respond(client, account, input=given), 404, "item_not_found", param="input.0.id")


async def test_a_repetition_is_answered_though_the_item_is_gone(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    first = whole_response(await respond(client, account))
    given = [user("Hello"), reference(first["output"][0]["id"]), user("And?")]
    keyed = {"Idempotency-Key": "referring"}
    answer = await respond(client, account, keyed, input=given)
    await client.delete(f"{RESPONSES}/{first['id']}", headers=account.headers)

    assert (await respond(client, account, keyed, input=given)).content == answer.content


async def test_a_fault_of_an_item_is_named_where_its_reference_stands(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    first = whole_response(await respond(client, account))
    known = reference(first["output"][0]["id"])
    wrong = {"type": "function_call_output", "call_id": "call_none", "output": "x"}

    answer = await respond(client, account, previous_response_id=first["id"], input=[known, user("And?"), known, wrong])

    assert refused(answer, 400, "invalid_request_error")["param"].startswith("input.3")


async def test_the_hold_covers_what_is_referred_to(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=2)
    long = await stored_item(accounts, account, output=[assistant("word " * 20_000)])

    refused(await respond(client, account, input=[reference(long), user("And?")]), 402, "insufficient_credits")
