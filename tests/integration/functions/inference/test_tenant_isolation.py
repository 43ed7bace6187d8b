"""Nothing is visible across tenants: a walk over the route table, which fails for a route without a check."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from callmissed.platform.functions import INFERENCE
from callmissed.platform.routes import ROUTES, Auth, Route
from tests.support.audio_files import wav
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import (
    ASKED,
    EMBEDDINGS,
    FILE,
    FILES,
    HELLO,
    HISTORY,
    IMAGES,
    PICTURED,
    RESPONSES,
    SEARCH,
    SOUGHT,
    SPEECH,
    SPOKEN,
    TEXTS,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    chat,
    draw,
    refused,
    respond,
    upload,
)

SERVED = [route for route in ROUTES if route.function == INFERENCE.name]
COMPACT = f"{RESPONSES}/compact"
CALLS = [
    route
    for route in SERVED
    if route.permission and route.method == "POST" and "{" not in route.path and route.path != COMPACT
]
SECRET_PROMPT = "the first tenant's own words"
OWN: dict[str, Any] = {"messages": [{"role": "user", "content": SECRET_PROMPT}]}


class Tenants:
    """One tenant that has made a call and stored a response, and a stranger."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        accounts: Accounts,
        owner: Account,
        stranger: Account,
        call_id: str,
        response_id: str,
        file_id: str,
    ) -> None:
        self.client = client
        self.accounts = accounts
        self.owner = owner
        self.stranger = stranger
        self.call_id = call_id
        self.response_id = response_id
        self.file_id = file_id

    async def request(self, route: Route, account: Account | None, **more: Any) -> httpx2.Response:
        """`route` with its path filled by a model, a response and a file that exist."""
        path = route.path.replace("{model_id+}", "lab-chat").replace("{response_id}", self.response_id)
        path = path.replace("{file_id}", self.file_id)
        headers = account.headers if account else {}
        return await self.client.request(route.method, path, headers=headers, **more)


def sent_to(route: Route) -> Mapping[str, Any]:
    """What a client sends to the route: a JSON object, or a form with a file."""
    if route.path in (TRANSCRIPTIONS, TRANSLATIONS):
        return {"data": {"model": "lab-whisper"}, "files": {"file": ("a.wav", wav(1.5))}}
    return {"json": body_for(route)}


def body_for(route: Route) -> Mapping[str, Any]:
    """A body that the route takes."""
    bodies: Mapping[str, Mapping[str, Any]] = {
        EMBEDDINGS: TEXTS,
        RESPONSES: ASKED,
        SEARCH: SOUGHT,
        IMAGES: PICTURED,
        SPEECH: SPOKEN,
    }
    return bodies.get(route.path, {**HELLO, "max_tokens": 50})


Check = Callable[[Tenants, Route], Awaitable[None]]


async def charges_only_the_caller(tenants: Tenants, route: Route) -> None:
    owner_before = await tenants.accounts.wallet(tenants.owner.tenant)
    owner_entries = await tenants.accounts.entries(tenants.owner.tenant)

    response = await tenants.request(route, tenants.stranger, **sent_to(route))

    assert response.status_code == 200
    assert SECRET_PROMPT not in response.text
    assert await tenants.accounts.assert_balanced(tenants.stranger) > 0
    assert await tenants.accounts.wallet(tenants.owner.tenant) == owner_before
    assert await tenants.accounts.entries(tenants.owner.tenant) == owner_entries


async def counts_for_free(tenants: Tenants, route: Route) -> None:
    answers = [await tenants.request(route, account, json=HELLO) for account in (tenants.owner, tenants.stranger)]

    assert (answers[0].status_code, answers[1].status_code) == (200, 200)
    assert answers[0].content == answers[1].content
    await tenants.accounts.assert_untouched(tenants.stranger)


async def finds_only_the_callers_own(tenants: Tenants, route: Route) -> None:
    asked = {"params": {"id": f"gen_{tenants.call_id}"}}

    assert (await tenants.request(route, tenants.owner, **asked)).status_code == 200
    refused(await tenants.request(route, tenants.stranger, **asked), 404, "not_found")


async def shows_the_owner_alone(tenants: Tenants, route: Route) -> None:
    """A stranger gets 404 in the words for a response that does not exist."""
    foreign = await tenants.request(route, tenants.stranger)
    assert refused(foreign, 404, "response_not_found")["message"].count(tenants.response_id) == 1
    still_there = await tenants.client.get(f"{RESPONSES}/{tenants.response_id}", headers=tenants.owner.headers)
    assert SECRET_PROMPT in still_there.text

    assert (await tenants.request(route, tenants.owner)).status_code in (200, 400)
    await tenants.accounts.assert_untouched(tenants.stranger)


async def lists_only_the_callers_own(tenants: Tenants, route: Route) -> None:
    drawn = await draw(tenants.client, tenants.owner, prompt=SECRET_PROMPT)
    assert drawn.status_code == 200

    assert SECRET_PROMPT in (await tenants.request(route, tenants.owner)).text
    assert (await tenants.request(route, tenants.stranger)).json() == {"data": [], "next_cursor": None}
    await tenants.accounts.assert_untouched(tenants.stranger)


async def shows_files_to_the_owner_alone(tenants: Tenants, route: Route) -> None:
    """A stranger gets 404 in the words for a file that does not exist."""
    refused(await tenants.request(route, tenants.stranger), 404, "file_not_found")

    assert (await tenants.request(route, tenants.owner)).status_code == 200


async def lists_only_the_callers_files(tenants: Tenants, route: Route) -> None:
    listed = [(await tenants.request(route, each)).json()["data"] for each in (tenants.owner, tenants.stranger)]

    assert [[file["id"] for file in data] for data in listed] == [[tenants.file_id], []]


async def creates_for_the_caller_alone(tenants: Tenants, route: Route) -> None:
    assert (await tenants.request(route, tenants.stranger, **FILE)).status_code == 200

    owned = await tenants.client.get(FILES, headers=tenants.owner.headers)
    assert [file["id"] for file in owned.json()["data"]] == [tenants.file_id]


async def compacts_only_the_callers_own(tenants: Tenants, route: Route) -> None:
    body = {"model": "gpt-chat", "previous_response_id": tenants.response_id}

    refused(await tenants.request(route, tenants.stranger, json=body), 404, "previous_response_not_found")

    await tenants.accounts.assert_untouched(tenants.stranger)


async def is_the_same_for_all(tenants: Tenants, route: Route) -> None:
    answers = [await tenants.request(route, account) for account in (tenants.owner, tenants.stranger)]

    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content


CHECKS: Mapping[tuple[str, str], Check] = {
    ("POST", "/v1/chat/completions"): charges_only_the_caller,
    ("POST", "/v1/responses"): charges_only_the_caller,
    ("POST", "/v1/responses/compact"): compacts_only_the_callers_own,
    ("GET", "/v1/responses/{response_id}"): shows_the_owner_alone,
    ("DELETE", "/v1/responses/{response_id}"): shows_the_owner_alone,
    ("GET", "/v1/responses/{response_id}/input_items"): shows_the_owner_alone,
    ("POST", "/v1/responses/{response_id}/cancel"): shows_the_owner_alone,
    ("POST", "/v1/messages"): charges_only_the_caller,
    ("POST", "/anthropic/v1/messages"): charges_only_the_caller,
    ("POST", "/v1/messages/count_tokens"): counts_for_free,
    ("POST", "/anthropic/v1/messages/count_tokens"): counts_for_free,
    ("POST", "/v1/embeddings"): charges_only_the_caller,
    ("POST", TRANSCRIPTIONS): charges_only_the_caller,
    ("POST", TRANSLATIONS): charges_only_the_caller,
    ("POST", "/v1/search"): charges_only_the_caller,
    ("POST", IMAGES): charges_only_the_caller,
    ("GET", HISTORY): lists_only_the_callers_own,
    ("POST", "/v1/audio/speech"): charges_only_the_caller,
    ("POST", "/v1/files"): creates_for_the_caller_alone,
    ("GET", "/v1/files"): lists_only_the_callers_files,
    ("GET", "/v1/files/{file_id}"): shows_files_to_the_owner_alone,
    ("DELETE", "/v1/files/{file_id}"): shows_files_to_the_owner_alone,
    ("GET", "/v1/files/{file_id}/content"): shows_files_to_the_owner_alone,
    ("GET", "/v1/generation"): finds_only_the_callers_own,
    ("GET", "/v1/models"): is_the_same_for_all,
    ("GET", "/v1/models/{model_id+}"): is_the_same_for_all,
    ("GET", "/anthropic/v1/models"): is_the_same_for_all,
    ("GET", "/anthropic/v1/models/{model_id+}"): is_the_same_for_all,
    ("GET", "/api/v1/models"): is_the_same_for_all,
    ("GET", "/api/v1/models/access"): is_the_same_for_all,
    ("GET", "/api/v1/models/{model_id+}"): is_the_same_for_all,
}


@pytest.fixture
async def tenants(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> Tenants:
    owner, stranger = await accounts.account(), await accounts.account()
    call = await chat(client, owner, **OWN)
    assert call.status_code == 200
    response = await respond(client, owner, instructions=SECRET_PROMPT)
    call_id = call.headers["x-request-id"].removeprefix("req_")
    file = await upload(client, owner)
    return Tenants(client, accounts, owner, stranger, call_id, response.json()["id"], file.json()["id"])


def test_every_route_has_its_check() -> None:
    assert {(route.method, route.path) for route in SERVED} == set(CHECKS)


@pytest.mark.parametrize("route", SERVED, ids=lambda route: f"{route.method} {route.path}")
async def test_a_stranger_sees_nothing(tenants: Tenants, route: Route) -> None:
    await CHECKS[route.method, route.path](tenants, route)


@pytest.mark.parametrize("route", [route for route in SERVED if route.auth is Auth.KEY], ids=lambda route: route.path)
async def test_a_route_for_keys_asks_for_one(tenants: Tenants, route: Route) -> None:
    more = sent_to(route) if route.method == "POST" else {"params": {"id": tenants.call_id}}

    refused(await tenants.request(route, None, **more), 401, "invalid_api_key")


@pytest.mark.parametrize("route", [route for route in SERVED if route.permission], ids=lambda route: route.path)
async def test_a_route_with_a_permission_asks_for_it(tenants: Tenants, route: Route) -> None:
    others = frozenset({"llm", "stt", "tts", "search", "image"}) - {str(route.permission)}
    account = await tenants.accounts.account(permissions=others)

    refused(await tenants.request(route, account, **sent_to(route)), 403, "permission_denied")


@pytest.mark.parametrize("route", CALLS, ids=lambda route: route.path)
async def test_a_test_key_is_answered_by_the_sandbox(tenants: Tenants, route: Route, upstream: FakeUpstream) -> None:
    account = await tenants.accounts.account(mode=Mode.TEST)
    upstream.forget()

    response = await tenants.request(route, account, **sent_to(route))

    assert (response.status_code, response.headers["x-callmissed-sandbox"]) == (200, "true"), response.text
    assert upstream.requests == []
