"""The outcome of `deploy/verify` belongs to the credentials that were checked."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.errors import ApiError
from callmissed.http.client import SafeClient
from callmissed.integrations.credentials import Credentials
from callmissed.integrations.verification import ProviderUrls, Verifier
from functions.bots.bots.channel_check import ChannelCheck
from functions.bots.bots.repository import BotRepository
from functions.bots.bots.service import Bots
from functions.bots.numbers.repository import NumberRepository
from tests.support.bots.bots_api import NOW, BotsApi, BotTenant

ACTOR = Actor(ActorKind.PERSON, "usr_of_tests")
GOOD = {"phone_number_id": "1", "access_token": "good"}


class AcceptingVerifier(Verifier):
    """Accepts all credentials, after something else happened."""

    def __init__(self, meanwhile: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(SafeClient(), ProviderUrls("", "", ""))
        self._meanwhile = meanwhile

    async def fault(self, credentials: Credentials) -> None:
        await self._meanwhile()


def check_of(api: BotsApi, meanwhile: Callable[[], Awaitable[Any]]) -> ChannelCheck:
    sealer, numbers = api.composition.sealer, NumberRepository(api.database)
    return ChannelCheck(
        Bots(BotRepository(api.database), numbers, sealer), numbers, AcceptingVerifier(meanwhile), sealer
    )


async def verified(api: BotsApi, tenant: BotTenant) -> dict[str, Any]:
    bot = await tenant.bot(config=GOOD)
    await check_of(api, lambda: tenant.call("GET")).verify(tenant.id, bot["id"], ACTOR, NOW)
    return (await tenant.call("GET", f"/{bot['id']}")).json()


async def test_outcome_of_a_check_is_not_written_to_other_credentials(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot(config=GOOD)
    other = {"config": {"phone_number_id": "2", "access_token": "bad"}}
    check = check_of(bots_api, lambda: tenant.call("PUT", f"/{bot['id']}", json=other))

    with pytest.raises(ApiError) as raised:
        await check.verify(tenant.id, bot["id"], ACTOR, NOW)

    assert raised.value.status == 409
    assert not (await tenant.call("GET", f"/{bot['id']}")).json()["config"].get("channel_verified")


async def test_outcome_is_written_where_something_else_changed(bots_api: BotsApi, tenant: BotTenant) -> None:
    bot = await tenant.bot(config=GOOD)
    check = check_of(bots_api, lambda: tenant.call("POST", f"/{bot['id']}/toggle"))

    await check.verify(tenant.id, bot["id"], ACTOR, NOW)

    shown = (await tenant.call("GET", f"/{bot['id']}")).json()
    assert (shown["config"]["channel_verified"], shown["is_active"]) == (True, False)


@pytest.mark.parametrize("fields", [{"access_token": "another"}, {"phone_number_id": "2"}])
async def test_new_credentials_are_not_shown_as_verified(
    bots_api: BotsApi, tenant: BotTenant, fields: dict[str, Any]
) -> None:
    bot = await verified(bots_api, tenant)
    assert bot["config"]["channel_verified"]

    changed = await tenant.call("PUT", f"/{bot['id']}", json={"config": bot["config"] | fields})

    assert "channel_verified" not in changed.json()["config"]


async def test_outcome_is_nothing_that_a_request_sets(bots_api: BotsApi, tenant: BotTenant) -> None:
    claimed = {"channel_verified": True, "last_verified_at": "2026-11-25T09:30:00.000Z", "error_message": None}
    bot = await tenant.bot(config=GOOD | claimed)
    assert not bot["config"].keys() & claimed.keys()

    bot = await verified(bots_api, tenant)
    changed = await tenant.call(
        "PUT", f"/{bot['id']}", json={"config": bot["config"] | {"greeting": "Hi", "channel_verified": False}}
    )
    assert changed.json()["config"] == bot["config"] | {"greeting": "Hi"}
