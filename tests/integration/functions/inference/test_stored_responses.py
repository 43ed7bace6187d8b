"""What is stored, over HTTP: retrieving, listing, deleting, and a 404 that is the same for everybody else."""

from typing import Any

import httpx2
import pytest

from callmissed.clock import SECOND, system_clock
from callmissed.keys.secret import Mode
from callmissed_ai.services.responses_store.records import RETENTION_SECONDS, Owner, StoredResponse
from callmissed_ai.services.responses_store.store import ResponsesStore
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.stored_responses import store_of, stored_response, user
from tests.support.inference.wire import RESPONSES, refused

ABSENT = "resp_" + "0" * 24
EXPIRED = system_clock() - RETENTION_SECONDS * SECOND
REQUESTS = [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")]
EACH_REQUEST = pytest.mark.parametrize(("method", "path"), REQUESTS, ids=["get", "delete", "input_items", "cancel"])


@pytest.fixture
def responses(accounts: Accounts) -> ResponsesStore:
    return store_of(accounts)


async def stored_of(responses: ResponsesStore, account: Account, **fields: Any) -> StoredResponse:
    """A response that the account's live key has stored."""
    stored = stored_response(Owner(account.tenant), **fields)
    await responses.put(stored)
    return stored


async def test_a_stored_response_is_retrieved_as_it_was_sent(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore
) -> None:
    account = await accounts.account()
    stored = await stored_of(responses, account)

    answer = await client.get(f"{RESPONSES}/{stored.response_id}", headers=account.headers)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == stored.response
    await accounts.assert_untouched(account)


async def test_another_key_of_the_tenant_sees_it(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore
) -> None:
    account = await accounts.account()
    stored = await stored_of(responses, account)
    other = await accounts.key(account.tenant)

    answer = await client.get(f"{RESPONSES}/{stored.response_id}", headers={"x-api-key": other.secret})

    assert answer.json()["id"] == stored.response_id


async def test_a_deleted_response_is_gone(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore
) -> None:
    account = await accounts.account()
    url = f"{RESPONSES}/{(await stored_of(responses, account)).response_id}"

    answer = await client.delete(url, headers=account.headers)

    assert answer.json() == {"id": url.rpartition("/")[2], "object": "response", "deleted": True}
    for method, path in REQUESTS:
        refused(await client.request(method, url + path, headers=account.headers), 404, "response_not_found")


async def test_input_items_are_paged(client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore) -> None:
    account = await accounts.account()
    stored = await stored_of(responses, account, earlier=[user(f"{n}") for n in range(30)])
    url = f"{RESPONSES}/{stored.response_id}/input_items"

    first = (await client.get(url, headers=account.headers)).json()
    rest = (await client.get(url, params={"after": first["last_id"]}, headers=account.headers)).json()

    assert (len(first["data"]), first["has_more"], len(rest["data"]), rest["has_more"]) == (20, True, 11, False)
    assert first["data"][0]["content"] == [{"type": "input_text", "text": "Hi"}]
    assert len({item["id"] for item in first["data"] + rest["data"]}) == 31


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"order": "random"}, "order"),
        ({"after": "msg_nowhere"}, "after"),
        ({"include": "file_search_call.results"}, "include"),
        ({"include[]": "nonsense"}, "include"),
    ],
)
async def test_a_wrong_page_is_named(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    responses: ResponsesStore,
    params: dict[str, str],
    param: str,
) -> None:
    account = await accounts.account()
    url = f"{RESPONSES}/{(await stored_of(responses, account)).response_id}/input_items"

    refused(await client.get(url, params=params, headers=account.headers), 400, "invalid_request_error", param=param)


@pytest.mark.parametrize("include", ["include", "include[]"])
async def test_what_is_stored_whole_may_be_included(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore, include: str
) -> None:
    account = await accounts.account()
    url = f"{RESPONSES}/{(await stored_of(responses, account)).response_id}"
    params = {include: "reasoning.encrypted_content"}

    for path in ("", "/input_items"):
        assert (await client.get(url + path, params=params, headers=account.headers)).status_code == 200


async def test_a_stored_response_is_not_streamed(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore
) -> None:
    account = await accounts.account()
    url = f"{RESPONSES}/{(await stored_of(responses, account)).response_id}"

    answer = await client.get(url, params={"stream": "true"}, headers=account.headers)

    refused(answer, 400, "invalid_request_error", param="stream")
    assert (await client.get(url, params={"stream": "false"}, headers=account.headers)).status_code == 200


async def test_a_complete_response_can_not_be_cancelled(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore
) -> None:
    account = await accounts.account()
    stored = await stored_of(responses, account)

    answer = await client.post(f"{RESPONSES}/{stored.response_id}/cancel", headers=account.headers)

    assert refused(answer, 400, "invalid_request_error")["message"] == "Cannot cancel a synchronous response."


@EACH_REQUEST
async def test_what_is_not_ones_own_does_not_exist(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore, method: str, path: str
) -> None:
    owner, stranger = await accounts.account(), await accounts.account()
    foreign = (await stored_of(responses, owner)).response_id
    expired = (await stored_of(responses, stranger, created=EXPIRED)).response_id
    of_test_keys = stored_response(Owner(stranger.tenant, sandboxed=True))
    await responses.put(of_test_keys)
    answers = set[tuple[str, ...]]()

    for response_id in (foreign, expired, of_test_keys.response_id, ABSENT, "garbage", "resp_%00", "x" * 400):
        answer = await client.request(method, f"{RESPONSES}/{response_id}{path}", headers=stranger.headers)
        error = refused(answer, 404, "response_not_found", param="response_id")
        shown = error["message"].removeprefix("Response with id '").removesuffix("' not found.")
        assert response_id.replace("%00", "\0").startswith(shown)
        answers.add(tuple(sorted(set(answer.headers) - {"x-ratelimit-remaining"})))

    assert len(answers) == 1
    assert (await client.get(f"{RESPONSES}/{foreign}", headers=owner.headers)).status_code == 200


@EACH_REQUEST
async def test_a_key_and_its_permission_are_needed(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore, method: str, path: str
) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}))
    url = f"{RESPONSES}/{(await stored_of(responses, account)).response_id}{path}"

    refused(await client.request(method, url), 401, "invalid_api_key")
    refused(await client.request(method, url, headers=account.headers), 403, "permission_denied")


async def test_a_test_key_sees_what_test_keys_stored(
    client: httpx2.AsyncClient, accounts: Accounts, responses: ResponsesStore
) -> None:
    account = await accounts.account(mode=Mode.TEST)
    stored = stored_response(Owner(account.tenant, sandboxed=True))
    await responses.put(stored)

    answer = await client.get(f"{RESPONSES}/{stored.response_id}", headers=account.headers)

    assert (answer.status_code, answer.headers["x-callmissed-sandbox"]) == (200, "true")
