"""Conversations that are too long for a model: what is left out where the caller agrees to that."""

from typing import Any

import httpx2
import pytest

from callmissed_ai.services.responses_store.records import Owner
from tests.support.inference.behaviours import reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.responses import response
from tests.support.inference.stored_responses import assistant, store_of, stored_response, user
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import RESPONSES, respond, sent, whole_response

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])


async def test_the_oldest_turns_are_left_out_where_the_caller_agrees(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=10**6)
    five = stored_response(Owner(account.tenant), earlier=[user("a few words " * 420)] * 1000)
    await store_of(accounts).put(five)
    upstream.will(reply(response()))

    answer = await respond(client, account, model="gpt-chat", truncation="auto", previous_response_id=five.response_id)

    assert whole_response(answer)["status"] == "completed"
    body = upstream.requests[-1].body
    assert body["truncation"] == "auto"
    assert 60 < len(body["input"]) < 100  # a window of 128,000 tokens


@STREAMED
@pytest.mark.parametrize("continues", [True, False], ids=["chained", "sent whole"])
async def test_what_a_models_window_can_not_hold_is_left_out_towards_any_provider(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, continues: bool, streamed: bool
) -> None:
    account = await accounts.account(credits=10**6)
    turns = [each for number in range(300) for each in (user(f"{number} " + "word " * 1_000), assistant("Yes"))]
    rules = {"type": "message", "role": "developer", "content": "Be brief."}
    more: dict[str, Any] = {"input": [rules, *turns, user("And?")], "model": "lab-chat", "stream": streamed}
    if continues:
        long = stored_response(Owner(account.tenant), earlier=[rules, *turns])
        await store_of(accounts).put(long)
        more |= {"input": "And?", "previous_response_id": long.response_id}

    answer = whole_response(await respond(client, account, None, truncation="auto", **more))

    assert (answer["truncation"], answer["status"]) == ("auto", "completed")
    assert "truncation" not in upstream.requests[-1].body
    got = sent(upstream)
    assert (got[0], got[-1]) == (("system", "Be brief."), ("user", "And?"))
    assert got[1][0] == "user"
    assert 100 < len(got) < 300
    listed = await client.get(f"{RESPONSES}/{answer['id']}/input_items?limit=100", headers=account.headers)
    assert listed.json()["data"][-1]["type"] == "message"


async def test_what_fits_is_left_whole_where_the_caller_agrees_to_less(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    two = stored_response(Owner(account.tenant), earlier=[user("One?"), assistant("Two.")])
    await store_of(accounts).put(two)

    more = {"input": "Three?", "truncation": "auto", "previous_response_id": two.response_id}

    answer = await respond(client, account, None, model="lab-chat", **more)

    assert whole_response(answer)["status"] == "completed"
    got = sent(upstream)
    assert (got[0], got[-1]) == (("user", "One?"), ("user", "Three?"))
