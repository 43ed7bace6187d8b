"""Every change of a webhook leaves one event, in the transaction of the change."""

from itertools import count

import pytest

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.platform.tables import AUDIT
from tests.support.webhooks.audits import audited
from tests.support.webhooks.subscribers import NEW, NOW, URL, Tenant, WebhooksApi


@pytest.fixture
def database(webhooks_api: WebhooksApi) -> Database:
    return Database(webhooks_api.dynamodb, webhooks_api.store.stage)


@pytest.fixture(autouse=True)
def moving_clock(webhooks_api: WebhooksApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events sort by the millisecond."""
    moments = count(NOW, 1000)
    monkeypatch.setattr(type(webhooks_api.clock), "__call__", lambda _clock: Micros(next(moments)))


async def test_the_life_of_a_webhook_is_audited_without_secrets(database: Database, tenant: Tenant) -> None:
    webhook = await tenant.webhook(url=f"{URL}?token=very-secret", description="CRM")
    one = f"/{webhook['id']}"
    await tenant.call("PUT", one, json={"description": "ERP", "is_active": False})
    rotated = await tenant.call("POST", f"{one}/rotate", json={"overlap_hours": 3})
    await tenant.call("POST", f"{one}/recover")
    await tenant.call("DELETE", one)

    created = {
        "url": URL,
        "events": NEW["events"],
        "description": "CRM",
        "headers": ["Authorization"],
        "is_active": True,
        "bot_id": None,
    }
    events = await audited(database, tenant.id)
    assert [(action, resource) for action, resource, _ in events] == [
        (f"webhook.{action}", webhook["id"]) for action in ("create", "update", "rotate", "recover", "delete")
    ]
    metadata = [each for _, _, each in events]
    assert metadata[0] == created
    assert metadata[1] == {
        "before": {"description": "CRM", "is_active": True},
        "after": {"description": "ERP", "is_active": False},
    }
    assert metadata[2] == {"overlap_hours": 3}
    assert metadata[4] == created | {"description": "ERP"}
    for secret in ("very-secret", webhook["secret"], rotated.json()["secret"], NEW["headers"]["Authorization"]):
        assert secret not in str(events)


async def test_replays_are_audited(database: Database, webhooks_api: WebhooksApi, tenant: Tenant) -> None:
    webhook = await tenant.webhook()
    delivery = await webhooks_api.delivery(tenant.endpoint(webhook))
    one = f"/{webhook['id']}"
    again = await tenant.call("POST", f"{one}/deliveries/{delivery}/replay", operation="op_1")
    await tenant.call("POST", f"{one}/deliveries/{delivery}/replay", operation="op_1")
    replay = await tenant.call("POST", f"{one}/replays", json={"since": "2026-11-25T00:00:00Z"}, operation="op_2")
    await tenant.call("POST", f"{one}/replays", json={"since": "2026-11-25T00:00:00Z"}, operation="op_2")

    (_, *events) = await audited(database, tenant.id)

    assert [(action, resource) for action, resource, _ in events] == [
        ("webhook.delivery.replay", delivery),
        ("webhook.replay", webhook["id"]),
    ]
    assert events[0][2]["new_delivery_id"] == again.json()["delivery_id"]
    assert events[1][2]["replay_id"] == replay.json()["id"]


async def test_a_key_is_the_actor(database: Database, tenant: Tenant) -> None:
    await tenant.webhook()

    (event,) = [item async for item in database.query(AUDIT, tenant.id)]

    assert (event["actor_kind"], event["actor_id"]) == ("key", "key_of_tests")


async def test_refused_changes_leave_no_event(database: Database, tenant: Tenant) -> None:
    webhook = await tenant.webhook()
    await tenant.call("POST", json=NEW | {"url": "http://10.0.0.1/"})
    await tenant.call("PUT", f"/{webhook['id']}", json={"url": "http://10.0.0.1/"})
    await tenant.call("DELETE", "/wh_0")
    await tenant.call("POST", f"/{webhook['id']}/deliveries/dlv_0/replay")

    assert [action for action, _, _ in await audited(database, tenant.id)] == ["webhook.create"]
