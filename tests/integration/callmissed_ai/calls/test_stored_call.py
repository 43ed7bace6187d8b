"""Calls that continue a stored response: only its owner's, and nothing is learnt or lost by others."""

import json
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed.keys.secret import Mode
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import Call, new_call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import KeyPayer, TenantPayer
from callmissed_ai.calls.pipeline import run
from callmissed_ai.calls.served import Served
from callmissed_ai.calls.stored_call import StoredCall
from callmissed_ai.services import chat
from callmissed_ai.services.responses_store.records import Owner, StoredResponse
from tests.support.faults import Fault
from tests.support.inference.calls import chat_work
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.process import Process
from tests.support.inference.stored_responses import assistant, stored_response, user
from tests.support.inference.upstream import FakeUpstream


async def stored_of(container: Container, owner: Owner, **fields: Any) -> StoredResponse:
    """A response that `owner` has stored."""
    stored = stored_response(owner, **fields)
    await container.responses.put(stored)
    return stored


async def continuing(container: Container, response_id: str, given: Any = "and then?", **fields: Any) -> Call:
    """A call that continues the response of that id; its own is not stored."""
    call = new_call(container.clock)
    body = {"input": given, "previous_response_id": response_id, "store": False, **fields}
    call.stored = await StoredCall.read(container.responses, body, 100)
    return call


async def refusal(container: Container, call: Call, account: Account, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await run(container, call, KeyPayer(account.secret), chat_work(container, **fields), whole)
    return refused.value


async def test_the_owner_continues(container: Container, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    stored = await stored_of(container, Owner(account.tenant))
    call = await continuing(container, stored.response_id)
    assert call.stored

    assert call.stored.join().body["input"] == [*stored.conversation, user("and then?")]
    assert await run(container, call, KeyPayer(account.secret), chat_work(container), whole)

    assert await accounts.assert_balanced(account) > 0


@pytest.mark.parametrize("budget", [None, 10**9, 1], ids=["no budget", "budget", "budget used up"])
async def test_a_stranger_learns_of_no_response_and_pays_nothing(
    container: Container, accounts: Accounts, upstream: FakeUpstream, budget: int | None
) -> None:
    owner, account = await accounts.account(), await accounts.account(budget=budget)
    stored = await stored_of(container, Owner(owner.tenant))
    before = await accounts.key_item(account.secret)

    error = await refusal(container, await continuing(container, stored.response_id), account)

    assert (error.status, error.code, error.param) == (404, "previous_response_not_found", "previous_response_id")
    missing = (await continuing(container, "resp_" + "0" * 24)).stored
    assert missing
    with pytest.raises(ApiError) as absent:
        missing.join()
    assert error.message.replace(stored.response_id, "resp_" + "0" * 24) == absent.value.message
    await accounts.assert_untouched(account)
    assert budget is None or (await accounts.key_item(account.secret))["kb"] == before["kb"]
    assert upstream.requests == []


async def test_an_owner_without_budget_learns_it(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=1)
    stored = await stored_of(container, Owner(account.tenant))

    error = await refusal(container, await continuing(container, stored.response_id), account)

    assert (error.status, error.code) == (402, "budget_exceeded")


async def test_test_keys_and_live_keys_have_responses_of_their_own(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    live = await accounts.account()
    test = await accounts.key(live.tenant, mode=Mode.TEST)
    of_live = await stored_of(container, Owner(live.tenant))
    of_test = await stored_of(container, Owner(live.tenant, sandboxed=True))
    test_account = Account(live.tenant, test.secret, test.record.key_id, live.before)

    for stored, account in ((of_live, test_account), (of_test, live)):
        error = await refusal(container, await continuing(container, stored.response_id), account)
        assert error.status == 404
    call = await continuing(container, of_test.response_id)
    assert await run(container, call, KeyPayer(test.secret), chat_work(container), whole)


async def test_a_tenant_that_pays_without_a_key_is_an_owner_too(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    owner, stranger = await accounts.account(), await accounts.account()
    stored = await stored_of(container, Owner(owner.tenant))

    call = await continuing(container, stored.response_id)
    assert await run(container, call, TenantPayer(owner.tenant), chat_work(container), whole)
    call = await continuing(container, stored.response_id)
    with pytest.raises(ApiError) as refused:
        await run(container, call, TenantPayer(stranger.tenant), chat_work(container), whole)

    assert refused.value.status == 404
    await accounts.assert_untouched(stranger)


def error_in(param: str) -> ApiError:
    return ApiError(400, "invalid_request_error", f"Invalid '{param}': no.", param=param)


@pytest.mark.parametrize(
    ("param", "shown", "message"),
    [
        ("input.3.content", "input.1.content", "Invalid 'input.1.content': no."),
        ("input.1.content", "previous_response_id", "Invalid 'previous_response_id.1.content': no."),
        ("model", "model", "Invalid 'model': no."),
        ("input_audio", "input_audio", "Invalid 'input_audio': no."),
    ],
)
async def test_faults_are_named_where_the_caller_wrote_them(
    container: Container, param: str, shown: str, message: str
) -> None:
    stored = await stored_of(container, Owner("tnt_a"), given=[user("Hi")], output=[assistant("Hello")])
    call = await continuing(container, stored.response_id, [user("and"), user("then?")])
    assert call.stored
    call.stored.join()

    error = call.stored.in_callers_words(error_in(param))

    assert (error.param, error.message) == (shown, message)


async def test_too_much_in_the_whole_names_the_response(container: Container) -> None:
    stored = await stored_of(container, Owner("tnt_a"))
    call = await continuing(container, stored.response_id)
    assert call.stored
    call.stored.join()

    error = call.stored.in_callers_words(error_in("input"))

    assert (error.code, error.param) == ("context_length_exceeded", "previous_response_id")


async def test_faults_of_a_request_that_continues_nothing_stay_as_they_are(container: Container) -> None:
    unchained = await StoredCall.read(container.responses, {"input": "Hello"}, 20)
    error = error_in("input")

    assert unchained.in_callers_words(error) is error


async def test_a_response_that_nobody_got_and_can_not_be_deleted_stays_until_it_expires(
    process: Process,
) -> None:
    container = process.container
    stored = await stored_of(container, Owner("tnt_a"))
    call = await StoredCall.read(container.responses, {"input": "Hello"}, 20)
    process.dynamodb.faults.extend([Fault.THROTTLE] * 4)

    await call.forget(stored.response_id, Owner("tnt_a"))

    assert await container.responses.read(stored.response_id) == stored
    await call.forget(stored.response_id, Owner("tnt_a"))
    assert await container.responses.read(stored.response_id) is None


async def test_a_call_that_is_settled_after_its_hold_was_swept_stores_nothing_and_says_so(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    body = {"model": "lab-chat", "input": "Hello"}
    call = new_call(container.clock)
    call.stored = await StoredCall.read(container.responses, body, 40)
    work = chat.parse("openai_responses", container.catalog, body, 40)

    async def swept_first(served: Served) -> bytes:
        await accounts.sweep()
        return await whole(served)

    answer = await run(container, call, KeyPayer(account.secret), work, swept_first)

    assert isinstance(answer, bytes)
    response = json.loads(answer)
    assert response["store"] is False
    assert await container.responses.read(response["id"]) is None
