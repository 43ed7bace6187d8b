"""Nothing of bots, numbers, conversations and messages is visible or changed across tenants.

The routes are the route table's: a new one is called here as it comes, and needs a body in `BODIES` where it has one,
and an id in `Owned.ids`.
"""

import json

import pytest

from callmissed.platform.functions import BOTS_API
from callmissed.platform.routes import ROUTES, Route
from tests.support.bots.bots_api import BotsApi, refused
from tests.support.bots.owned import BODIES, everything_of, name_of, new_owned

SERVED = [route for route in ROUTES if route.function == BOTS_API.name]
OF_ONE = [route for route in SERVED if "{" in route.path]
LISTS = [route for route in SERVED if route.method == "GET" and route not in OF_ONE]


def test_bodies_are_of_routes() -> None:
    assert set(BODIES) <= {name_of(route) for route in SERVED}


@pytest.mark.parametrize("route", OF_ONE, ids=name_of)
async def test_what_is_foreign_reads_like_none_and_stays(bots_api: BotsApi, route: Route) -> None:
    owned, stranger = await new_owned(bots_api), await new_owned(bots_api)
    before = await everything_of(bots_api, owned)

    answer = await stranger.tenant.call(**owned.request(route))

    refused(answer, 404, "not_found")
    assert await everything_of(bots_api, owned) == before


@pytest.mark.parametrize("route", LISTS, ids=name_of)
async def test_lists_have_only_ones_own(bots_api: BotsApi, route: Route) -> None:
    owned, stranger = await new_owned(bots_api), await new_owned(bots_api)

    answer = await stranger.tenant.call(**owned.request(route))

    assert answer.status_code in (200, 422), answer.text
    for foreign in (owned.tenant.id, owned.ids["bot_id"], owned.ids["phone_id"], owned.ids["conversation_id"]):
        assert foreign not in answer.text


@pytest.mark.parametrize("route", SERVED, ids=name_of)
async def test_route_needs_the_authorizers_word(bots_api: BotsApi, route: Route) -> None:
    owned = await new_owned(bots_api)

    answer = await bots_api.tenant("").call(**owned.request(route))

    refused(answer, 401, "invalid_api_key")


async def test_two_tenants_may_have_the_same_customers(bots_api: BotsApi) -> None:
    one, other = await new_owned(bots_api), await new_owned(bots_api)
    for owned in (one, other):
        listed = (await owned.tenant.call("GET", "/api/v1/conversations")).json()
        assert [each["id"] for each in listed["data"]] == [owned.ids["conversation_id"]], json.dumps(listed)
