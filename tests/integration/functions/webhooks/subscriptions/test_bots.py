"""Webhooks that get the events of one bot only."""

from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.events.outbox import Event, event_of, new_event, publish
from callmissed.events.types import CreditsLow, EventData, MessageReceived
from callmissed.platform.tables import BOTS, OUTBOX
from callmissed.tenants.bots import bot_key
from tests.support.webhooks.audits import audited
from tests.support.webhooks.simulation import Simulation
from tests.support.webhooks.subscribers import NEW, Tenant, WebhooksApi, refused


@pytest.fixture
async def bot(webhooks_api: WebhooksApi, tenant: Tenant) -> str:
    """A bot of the tenant."""
    await webhooks_api.put(BOTS, bot_key(tenant.id, "bot_1"))
    return "bot_1"


async def changed(tenant: Tenant, webhook: Mapping[str, Any], **changes: Any) -> Any:
    answer = await tenant.call("PUT", f"/{webhook['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_bot_is_set_kept_changed_and_cleared(webhooks_api: WebhooksApi, tenant: Tenant, bot: str) -> None:
    await webhooks_api.put(BOTS, bot_key(tenant.id, "bot_2"))
    created = await tenant.webhook(bot_id=bot)

    assert created["bot_id"] == bot
    assert (await changed(tenant, created, description="ERP"))["bot_id"] == bot
    assert (await changed(tenant, created, bot_id=None))["bot_id"] == bot
    assert (await changed(tenant, created, bot_id="bot_2"))["bot_id"] == "bot_2"
    assert (await changed(tenant, created, clear_bot_id=True))["bot_id"] is None
    assert (await tenant.call("GET", f"/{created['id']}")).json()["bot_id"] is None


async def test_a_bot_is_audited(webhooks_api: WebhooksApi, tenant: Tenant, bot: str) -> None:
    created = await tenant.webhook(bot_id=bot)
    await changed(tenant, created, clear_bot_id=True)

    database = Database(webhooks_api.dynamodb, webhooks_api.store.stage)
    events = {action: metadata for action, _, metadata in await audited(database, tenant.id)}
    at_first, change = events["webhook.create"], events["webhook.update"]
    assert at_first["bot_id"] == bot
    assert change == {"before": {"bot_id": bot}, "after": {"bot_id": None}}


@pytest.mark.parametrize("bot_id", ["bot_unknown", "x" * 64, "BOT#bot_1"])
async def test_an_unknown_bot_is_refused(tenant: Tenant, bot: str, bot_id: str) -> None:
    webhook = await tenant.webhook()

    for answer in (
        await tenant.call("POST", json=NEW | {"bot_id": bot_id}),
        await tenant.call("PUT", f"/{webhook['id']}", json={"bot_id": bot_id}),
    ):
        assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == ["body", "bot_id"]


async def test_a_foreign_bot_reads_like_none(webhooks_api: WebhooksApi, bot: str) -> None:
    stranger = webhooks_api.tenant()

    foreign = await stranger.call("POST", json=NEW | {"bot_id": bot})
    unknown = await stranger.call("POST", json=NEW | {"bot_id": "bot_unknown"})

    assert refused(foreign, 422, "invalid_request_error")["details"] == unknown.json()["error"]["details"]


async def test_a_bot_is_not_set_and_cleared_at_once(tenant: Tenant, bot: str) -> None:
    webhook = await tenant.webhook()

    answer = await tenant.call("PUT", f"/{webhook['id']}", json={"bot_id": bot, "clear_bot_id": True})

    refused(answer, 422, "invalid_request_error")


def received(bot_id: str | None) -> EventData:
    return MessageReceived(bot_id=bot_id, channel="whatsapp", message_id="wamid.1", type="text")


@pytest.mark.parametrize(
    ("data", "reached"),
    [
        (received("bot_1"), {"of_bot", "of_all"}),
        (received("bot_2"), {"of_all"}),
        (received(None), {"of_all"}),
        (CreditsLow(available_credits=1, threshold_credits=50), {"of_all"}),
    ],
    ids=["its bot", "another bot", "no bot yet", "of the account"],
)
async def test_a_bots_webhook_gets_the_events_of_that_bot(
    simulation: Simulation, data: EventData, reached: set[str]
) -> None:
    webhooks = {
        "of_bot": await simulation.webhook(bot_id="bot_1"),
        "of_all": await simulation.webhook(),
        "of_bot_but_other_events": await simulation.webhook(events=["payment.*"], bot_id="bot_1"),
    }
    event = new_event(simulation.tenant, data, simulation.clock())
    await publish(simulation.tables, event)
    await simulation.publish_existing(await simulation.tables.get(OUTBOX, {"id": event.id}))

    await simulation.run()

    names: dict[str, str] = {endpoint.webhook: name for name, endpoint in webhooks.items()}
    assert {names[to] for to, *_ in simulation.endpoints.got} == reached


async def test_an_event_is_stored_with_its_bot(simulation: Simulation) -> None:
    event = new_event(simulation.tenant, received("bot_1"), Micros(simulation.now))
    await publish(simulation.tables, event)

    stored: Event = event_of(await simulation.tables.get(OUTBOX, {"id": event.id}))
    assert stored == event
    assert stored.bot_id == "bot_1"
