"""Changes of webhooks by their owners, beside other changes and beside what is parked."""

from functools import partial

import pytest

from callmissed.audit.events import Actor, ActorKind
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from callmissed.sealing import Sealer
from functions.webhooks.storage.records import COUNT, Endpoint
from functions.webhooks.subscriptions.schemas import NewWebhook, WebhookChanges
from functions.webhooks.subscriptions.service import Subscriptions
from tests.support.webhooks.simulation import Simulation

ACTOR = Actor(ActorKind.KEY, "key_1")


@pytest.fixture
def subscriptions(simulation: Simulation) -> Subscriptions:
    return Subscriptions(
        simulation.repository,
        sealer=Sealer((bytes(range(32)),)),
        check_url=lambda url: url,
        queue=simulation.jobs,
    )


async def create(simulation: Simulation, subscriptions: Subscriptions, *, active: bool = True) -> Endpoint:
    new = NewWebhook(url="https://example.com/", events=["*"], is_active=active)
    shown = await subscriptions.create(simulation.tenant, new, ACTOR, Micros(simulation.now), Operation.new())
    return shown.webhook.endpoint


async def test_two_deletions_of_a_webhook_count_it_out_once(
    simulation: Simulation, subscriptions: Subscriptions
) -> None:
    now = Micros(simulation.now)
    endpoint, _ = [await create(simulation, subscriptions) for _ in range(2)]
    simulation.dynamodb.before("TransactWriteItems", partial(subscriptions.delete, endpoint, ACTOR, now))

    with pytest.raises(ApiError) as refused:
        await subscriptions.delete(endpoint, ACTOR, now)

    assert refused.value.status == 404
    assert simulation.dynamodb.pending == 0
    assert (await simulation.database.get(WEBHOOKS, {"tenant": simulation.tenant, "webhook": COUNT}))["n"] == 1


async def test_a_webhook_that_is_resumed_gets_what_is_parked_at_once(
    simulation: Simulation, subscriptions: Subscriptions
) -> None:
    endpoint = await create(simulation, subscriptions, active=False)
    await simulation.aside.deliveries.mark_parked(endpoint, Micros(simulation.now + 5 * MINUTE))

    await subscriptions.update(endpoint, WebhookChanges(is_active=True), ACTOR, Micros(simulation.now))

    mark = await simulation.database.get(DELIVERIES, endpoint.parked_key)
    assert mark["due"] == endpoint.due(Micros(simulation.now))["due"]
