"""Jobs of deliveries that a test processes: it decides when, and by how many workers."""

import json
from collections.abc import Awaitable, Callable
from functools import partial

from callmissed.aws.attributes import Item
from callmissed.aws.batches import Received
from callmissed.aws.database import Database
from callmissed.events.types import WebhookDisabled
from callmissed.platform.tables import OUTBOX
from tests.support.webhooks.simulation import Simulation, published

Job = Callable[[], Awaitable[None]]


async def queued_jobs(simulation: Simulation, count: int = 1) -> list[Job]:
    """Publish `count` events and fan them out. Each result processes the job of one delivery, as one worker does."""
    for event in await simulation.publish(count=count):
        await simulation.fanout.fan_out(published(event), redelivered=False)
    received = simulation.jobs.receive(max_messages=1000)
    simulation.jobs.settle(received, {"batchItemFailures": []})
    bodies = [json.loads(record["body"]) for record in received["Records"]]
    return [partial(simulation.sender.process, Received(body, redelivered=False)) for body in bodies]


async def disabled_events(simulation: Simulation) -> list[Item]:
    """The events in the outbox that say that a webhook was disabled."""
    events = Database(simulation.plain, simulation.stage).scan(OUTBOX)
    return [item async for item in events if item["type"] == WebhookDisabled.event]
