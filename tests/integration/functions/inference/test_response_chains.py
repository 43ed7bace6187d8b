"""Chains of responses over HTTP: found at once, whole, and only what is complete and wanted."""

from typing import Any

import httpx2
import pytest

from callmissed.clock import SECOND, system_clock
from callmissed.keys.secret import Mode
from callmissed_ai.services.responses_store.records import RETENTION_SECONDS, Owner
from tests.support.inference.behaviours import chunk, completion, content_events, event, reply, streams
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.messages import message
from tests.support.inference.responses import function_call, response, response_stream, thought, written
from tests.support.inference.stored_responses import assistant, store_of, stored_response, user
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import RESPONSES, refused, respond, response_events, sent, whole_response

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
ABSENT = "resp_" + "0" * 24
KEYED = {"Idempotency-Key": "chained"}


async def is_stored(client: httpx2.AsyncClient, account: Account, response_id: str) -> bool:
    return (await client.get(f"{RESPONSES}/{response_id}", headers=account.headers)).status_code == 200


@STREAMED
async def test_a_response_is_found_when_its_last_byte_has_come(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()

    response = whole_response(await respond(client, account, stream=streamed))

    stored = await client.get(f"{RESPONSES}/{response['id']}", headers=account.headers)
    assert stored.json() == response
    assert (response["store"], response["status"]) == (True, "completed")


@pytest.mark.parametrize("given", ["Hello", [{"role": "user", "content": "Hello"}]], ids=["text", "list"])
async def test_case_40_a_stream_has_one_id_and_every_item_is_there(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, given: Any
) -> None:
    account = await accounts.account()

    events = response_events((await respond(client, account, input=given, stream=True)).content)
    first = events[-1]["response"]
    second = whole_response(
        await respond(client, account, input=[user("And?")], previous_response_id=first["id"], stream=True)
    )
    third = whole_response(await respond(client, account, input="So?", previous_response_id=second["id"]))

    assert {event["response"]["id"] for event in events if "response" in event} == {first["id"]}
    assert [text for role, text in sent(upstream) if role == "user"] == ["Hello", "And?", "So?"]
    assert [role for role, _ in sent(upstream)] == ["user", "assistant", "user", "assistant", "user"]
    assert third["previous_response_id"] == second["id"]
    items = await client.get(f"{RESPONSES}/{third['id']}/input_items", headers=account.headers)
    assert [item["role"] for item in items.json()["data"]] == ["user", "assistant", "user", "assistant", "user"]


async def test_instructions_are_not_inherited(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    first = whole_response(await respond(client, account, instructions="Be brief."))
    assert sent(upstream)[0] == ("system", "Be brief.")

    second = whole_response(await respond(client, account, input="And?", previous_response_id=first["id"]))

    assert (sent(upstream)[0][0], second["instructions"]) == ("user", None)


async def test_a_tool_loop_is_continued_by_its_result_alone(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    called = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"in":"Pune"}'}}
    upstream.will(reply(completion(None, tool_calls=[called])))
    first = whole_response(
        await respond(client, account, tools=[{"type": "function", "name": "weather", "parameters": {}}])
    )
    result = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}

    assert whole_response(await respond(client, account, input=[result], previous_response_id=first["id"]))["status"]

    messages = upstream.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1]["tool_calls"][0]["function"] == called["function"]


async def test_two_requests_may_continue_one_response(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    first = whole_response(await respond(client, account))

    branches = [
        whole_response(await respond(client, account, input=text, previous_response_id=first["id"]))
        for text in ("left", "right")
    ]

    assert branches[0]["id"] != branches[1]["id"]
    assert [text for role, text in sent(upstream) if role == "user"] == ["Hello", "right"]


@STREAMED
async def test_what_is_not_to_be_stored_is_not(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()

    response = whole_response(await respond(client, account, store=False, stream=streamed))

    assert response["store"] is False
    assert not await is_stored(client, account, response["id"])


@STREAMED
async def test_a_response_that_reached_its_limit_is_stored(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    cut = completion("Hello")
    cut["choices"][0]["finish_reason"] = "length"
    pieces = [event(chunk({"role": "assistant", "content": "Hello"})), event(chunk({}, finish="length"))]
    upstream.will(streams(pieces) if streamed else reply(cut))

    response = whole_response(await respond(client, account, stream=streamed))

    assert response["status"] == "incomplete"
    assert await is_stored(client, account, response["id"])


async def test_a_stream_that_breaks_is_not_stored(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(content_events()[:2], breaks=True))

    last = response_events((await respond(client, account, stream=True)).content)[-1]

    assert last["type"] == "response.failed"
    assert not await is_stored(client, account, last["response"]["id"])


async def test_a_test_keys_conversation_goes_on_in_the_sandbox(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(mode=Mode.TEST)
    live = await accounts.key(account.tenant)

    first = whole_response(await respond(client, account))
    second = await respond(client, account, input="And?", previous_response_id=first["id"], stream=True)

    assert whole_response(second)["status"] == "completed"
    of_live = Account(account.tenant, live.secret, live.record.key_id, account.before)
    refused(
        await respond(client, of_live, previous_response_id=first["id"]),
        404,
        "previous_response_not_found",
        param="previous_response_id",
    )


@STREAMED
async def test_what_is_not_ones_own_can_not_be_continued(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    """A foreign response changes nothing that its id's finder could see: not even which of two faults is named."""
    owner, stranger = await accounts.account(), await accounts.account(models=frozenset({"lab-chat"}))
    image = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    given = [{"role": "user", "content": [image, {"type": "input_text", "text": "What is it?"}]}]
    foreign = whole_response(await respond(client, owner, model="lab-eyes", input=given))["id"]
    expired = stored_response(Owner(stranger.tenant), created=system_clock() - RETENTION_SECONDS * SECOND)
    await store_of(accounts).put(expired)
    upstream.forget()
    faults: list[dict[str, Any]] = [
        {},
        {"temperature": 3},
        {"model": "no-such-model"},
        {"model": "second-chat"},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"max_output_tokens": 10**9},
    ]

    for fault in faults:
        for response_id in (foreign, expired.response_id, ABSENT, "garbage"):
            chained = {"stream": streamed, "previous_response_id": response_id}
            answer = await respond(client, stranger, None, **{**chained, **fault})
            error = refused(answer, 404, "previous_response_not_found", param="previous_response_id")
            assert error["message"] == f"Previous response with id '{response_id}' not found."

    for response_id in (foreign, ABSENT):
        bad_key = await respond(client, stranger, {"Idempotency-Key": "two words"}, previous_response_id=response_id)
        refused(bad_key, 404, "previous_response_not_found")
    assert upstream.requests == []
    await accounts.assert_untouched(stranger)


async def test_a_key_that_is_refused_learns_nothing_of_ids(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    owner = await accounts.account()
    response_id = whole_response(await respond(client, owner))["id"]
    without = await accounts.account(permissions=frozenset({"stt"}))

    for each in (response_id, ABSENT):
        refused(await respond(client, without, previous_response_id=each), 403, "permission_denied")
        mistyped = {"Authorization": "Bearer cm_live_mistyped"}
        answer = await client.post(
            RESPONSES, json={"model": "lab-chat", "input": "x", "previous_response_id": each}, headers=mistyped
        )
        refused(answer, 401, "invalid_api_key")


async def test_the_hold_covers_the_whole_conversation(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=2)
    long = stored_response(Owner(account.tenant), given=[user("word " * 20_000)])
    await store_of(accounts).put(long)

    answer = await respond(client, account, previous_response_id=long.response_id)

    refused(answer, 402, "insufficient_credits")
    assert (await respond(client, account)).status_code == 200


async def test_fifty_turns_are_one_conversation(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, response_id = await accounts.account(), None
    for turn in range(50):
        chained = {"previous_response_id": response_id} if response_id else {}
        response_id = whole_response(await respond(client, account, input=f"turn {turn}", **chained))["id"]

    assert [text for role, text in sent(upstream) if role == "user"] == [f"turn {turn}" for turn in range(50)]
    assert await accounts.assert_balanced(account) > 0


async def test_three_megabytes_are_continued_and_more_than_the_limit_is_named(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=10**6)
    three = stored_response(Owner(account.tenant), earlier=[user("a few words " * 250)] * 1000)
    five = stored_response(Owner(account.tenant), earlier=[user("a few words " * 420)] * 1000)
    for stored in (three, five):
        await store_of(accounts).put(stored)

    response = whole_response(await respond(client, account, previous_response_id=three.response_id))
    again = whole_response(await respond(client, account, previous_response_id=response["id"]))
    too_long = await respond(client, account, previous_response_id=five.response_id)

    assert again["status"] == "completed"
    assert len(upstream.requests[-1].body["messages"]) == 1000 + 5
    refused(too_long, 400, "context_length_exceeded", param="previous_response_id")


async def test_too_many_parts_of_the_whole_name_the_response(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    many = stored_response(Owner(account.tenant), earlier=[assistant("a")] * 2_001)
    await store_of(accounts).put(many)

    answer = await respond(client, account, previous_response_id=many.response_id)

    refused(answer, 400, "context_length_exceeded", param="previous_response_id")


async def test_a_fault_of_ones_own_item_is_named_by_its_own_place(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    first = whole_response(await respond(client, account))
    given = [user("fine"), {"type": "message", "role": "user", "content": [{"type": "web_page"}]}]

    answer = await respond(client, account, input=given, previous_response_id=first["id"])

    error = refused(answer, 400, "unsupported_field")
    assert error["param"].startswith("input.1.content")
    assert "input.1.content" in error["message"]


async def test_a_replay_has_the_same_response_and_only_one_is_stored(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    first = whole_response(await respond(client, account))

    answers = [await respond(client, account, KEYED, previous_response_id=first["id"]) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[0].json()["store"] is True
    assert await is_stored(client, account, answers[0].json()["id"])
    assert await store_of(accounts).delete_all(account.tenant) == 2


async def test_a_replay_outlives_the_response_that_it_continued(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, stranger = await accounts.account(), await accounts.account()
    first = whole_response(await respond(client, account))
    answer = await respond(client, account, KEYED, previous_response_id=first["id"])
    assert (await client.delete(f"{RESPONSES}/{first['id']}", headers=account.headers)).status_code == 200

    again = await respond(client, account, KEYED, previous_response_id=first["id"])

    assert (again.content, again.headers["idempotent-replayed"]) == (answer.content, "true")
    for each, key in ((account, "another"), (stranger, "chained")):
        refused(
            await respond(client, each, {"Idempotency-Key": key}, previous_response_id=first["id"]),
            404,
            "previous_response_not_found",
        )


async def test_a_provider_of_this_dialect_gets_the_conversation_and_keeps_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    thinking, said = thought("Hm", id="rs_1"), written(id="msg_1")
    upstream.will(reply(response(thinking, said)))
    first = whole_response(await respond(client, account, model="gpt-thinks"))
    upstream.will(streams(response_stream(response())))

    answer = await respond(
        client, account, model="gpt-thinks", input="And?", previous_response_id=first["id"], stream=True
    )

    second = whole_response(answer)
    body = upstream.requests[-1].body
    assert body["input"] == [user("Hello"), thinking, said, user("And?")]
    assert (body["store"], body["include"], "previous_response_id" in body) == (
        False,
        ["reasoning.encrypted_content"],
        False,
    )
    assert (second["store"], second["previous_response_id"]) == (True, first["id"])
    stored = await client.get(f"{RESPONSES}/{second['id']}", headers=account.headers)
    assert stored.json() == second


@pytest.mark.parametrize("model", ["lab-chat", "claude-chat"])
async def test_another_provider_goes_on_without_the_thoughts_of_finished_turns(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str
) -> None:
    account = await accounts.account()
    upstream.will(reply(response(thought("Hm"), written())))
    first = whole_response(await respond(client, account, model="gpt-thinks"))
    if model == "claude-chat":
        upstream.will(reply(message()))

    second = await respond(client, account, model=model, input="And?", previous_response_id=first["id"])

    assert whole_response(second)["status"] == "completed"
    assert [role["role"] for role in upstream.requests[-1].body["messages"]] == ["user", "assistant", "user"]
    assert "gAAA" not in str(upstream.requests[-1].body)


async def test_a_turn_that_waits_for_its_tools_stays_with_its_provider(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(response(thought("Hm"), function_call("call_1", "weather", "{}"))))
    tools = [{"type": "function", "name": "weather", "parameters": {}}]
    first = whole_response(await respond(client, account, model="gpt-thinks", tools=tools))
    result = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    chained: dict[str, Any] = {"input": [result], "tools": tools, "previous_response_id": first["id"]}

    elsewhere = await respond(client, account, model="lab-chat", **chained)
    upstream.will(reply(response()))
    at_home = await respond(client, account, model="gpt-thinks", **chained)

    assert refused(elsewhere, 400, "unsupported_field")["param"] == "previous_response_id"
    assert whole_response(at_home)["status"] == "completed"
