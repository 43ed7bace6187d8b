"""Every route that changes something answers a keyed request once, and from then on with the same bytes.

The routes are the route table's: a new one is called here as it comes.
"""

from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.idempotency.requests import HEADER, REPLAYED
from callmissed.platform.functions import BOTS_API
from callmissed.platform.routes import ROUTES, Route
from functions.bots.handlers.api import create_server, create_services
from tests.support.bots.bots_api import KEY, NOW, BotsApi, MovingClock, refused
from tests.support.bots.owned import Owned, everything_of, name_of, new_owned

OF_BOTS = [route for route in ROUTES if route.function == BOTS_API.name]
REACHING = ("/onboarding/", "/deploy/verify", "/messages", "/media", "/ai-draft")
"""They reach Meta or a model; the tests of their packages have them."""

RUN_ONCE = [
    route
    for route in OF_BOTS
    if route.method not in ("GET", "DELETE") and not any(part in route.path for part in REACHING)
]
DELETING = [route for route in OF_BOTS if route.method == "DELETE" and not any(part in route.path for part in REACHING)]
WITHOUT_CHANGE = {"POST /api/v1/bots/validate-config"}


class KeyedCaller:
    """A tenant who calls the application as it is served."""

    def __init__(self, api: BotsApi, owned: Owned) -> None:
        self._api, self._owned = api, owned
        clock = MovingClock()
        clock.now = NOW
        app = create_server(api.composition, create_services(api.composition, clock=clock))
        transport = httpx2.ASGITransport(app=authorized(app, {"tenant": owned.tenant.id, **KEY}))
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://api")

    async def call(self, route: Route, key: str, **query: str) -> httpx2.Response:
        request = self._owned.request(route)
        return await self._client.request(
            request["method"], request["path"], headers={HEADER: key}, params=query, json=request.get("json")
        )

    async def everything(self) -> list[Any]:
        return await everything_of(self._api, self._owned)


def authorized(app: ASGIApp, authorizer: dict[str, str]) -> ASGIApp:
    """`app` behind an authorizer that admits this caller."""

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.event": {"requestContext": {"authorizer": authorizer}}}, receive, send)

    return admitted


@pytest.fixture
async def caller(bots_api: BotsApi) -> KeyedCaller:
    return KeyedCaller(bots_api, await new_owned(bots_api))


@pytest.mark.parametrize("route", RUN_ONCE, ids=name_of)
async def test_keyed_request_is_run_once_and_replayed(caller: KeyedCaller, route: Route) -> None:
    before = await caller.everything()
    first = await caller.call(route, "once")
    after = await caller.everything()
    again = [await caller.call(route, "once") for _ in range(2)]

    assert (first.is_success, REPLAYED in first.headers) == (True, False), first.text
    if name_of(route) not in WITHOUT_CHANGE:
        assert after != before, "the request changes something that a second run would show"
    for answer in again:
        assert answer.headers[REPLAYED] == "true"
        assert (answer.status_code, answer.content) == (first.status_code, first.content)
    assert await caller.everything() == after
    refused(await caller.call(route, "once", another="request"), 409, "idempotency_conflict")


@pytest.mark.parametrize("route", DELETING, ids=name_of)
async def test_deletion_needs_no_key_and_is_never_replayed(caller: KeyedCaller, route: Route) -> None:
    first, again = [await caller.call(route, "once") for _ in range(2)]

    assert (first.status_code, REPLAYED in first.headers) == (204, False)
    refused(again, 404, "not_found")
