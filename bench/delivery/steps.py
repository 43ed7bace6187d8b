"""The steps of deliveries, each done by the real code in simulated time and counted."""

import json
from collections.abc import Mapping, Sequence

from bench.delivery.units import UnitCountingDynamoDB, Units
from callmissed.aws.attributes import Item
from callmissed.aws.batches import Received
from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.events.outbox import new_event, publish
from callmissed.events.types import MessageReceived
from callmissed.ids import new_id
from callmissed.platform.tables import WEBHOOKS
from functions.webhooks.delivery.schedule import WAITS
from functions.webhooks.storage.records import Endpoint
from local.aws.tables import StageTables
from tests.support.webhooks.simulation import Simulation, published, status

EVENT, FANOUT, DELIVERED = "event written", "event fanned out to one webhook", "attempt that succeeds"
FIRST, SOON = "first failed attempt, next in 5 s", "second failed attempt, next in 5 min"
LATER, LAST = "failed attempt, next after more than 15 min", "tenth failed attempt"
SCHEDULED = "due delivery enqueued by the scheduler"
TEN = "ten failed attempts with all that is between them"
PARKED, PARKED_JOB = "event fanned out while the endpoint is down: parked", "queued delivery parked"
DRAINED = "parked delivery released and delivered"
_DRAINED = 100


class Steps:
    """Counts steps on one endpoint. `by_name` has what one of each takes."""

    def __init__(self, tables: StageTables) -> None:
        self.by_name: dict[str, Units] = {}
        self._simulation = Simulation(tables)
        self._client = UnitCountingDynamoDB(tables.endpoint, tables.stage)
        self._simulation.database.dynamodb = self._client
        self._aside = self._simulation.tables

    async def count(self) -> Mapping[str, Units]:
        """Go through all steps."""
        try:
            await self._success()
            await self._failures()
            await self._parking()
        finally:
            await self._client.close()
            await self._simulation.close()
        return self.by_name

    async def _success(self) -> None:
        endpoint = await self._simulation.webhook(new_id("tnt"))
        await self._publish(endpoint, EVENT, FANOUT)
        await self._process_all(DELIVERED)

    async def _failures(self) -> None:
        """Ten failed attempts amid others that succeed, so that the breaker stays closed."""
        simulation = self._simulation
        endpoint = await simulation.webhook(new_id("tnt"))
        simulation.endpoints.answers[endpoint.webhook] = status(500)
        await self._publish(endpoint)
        total = Units()
        for name, wait in zip((FIRST, SOON, *[LATER] * 7, LAST), (*WAITS, 0), strict=True):
            await self._process_all(name)
            total += self.by_name[name]
            await self._set(endpoint, {"consecutive_failures": 0}, remove=("first_failure_at",))
            simulation.now += wait * SECOND + MINUTE
            if name == LATER:
                await self._enqueue_due()
                total += self.by_name[SCHEDULED]
        self.by_name[TEN] = total

    async def _enqueue_due(self) -> None:
        """What one due delivery adds to a round of the scheduler."""
        await self._simulation.scheduler.enqueue_due(Micros(0))
        idle = self._client.taken()
        await self._simulation.scheduler.enqueue_due(Micros(self._simulation.now))
        self.by_name[SCHEDULED] = self._client.taken() + idle.times(-1)

    async def _parking(self) -> None:
        simulation = self._simulation
        endpoint = await simulation.webhook(new_id("tnt"))
        await self._publish(endpoint)
        await self._set(endpoint, {"open_until": simulation.now + 5 * MINUTE})
        await self._process_all(PARKED_JOB)
        for _ in range(_DRAINED):
            await self._publish(endpoint, "", PARKED)
        await self._set(endpoint, {"consecutive_failures": 0}, remove=("open_until",))
        await simulation.process_parked(endpoint)
        released = self._client.taken().times(1 / _DRAINED)
        await self._process_all(DRAINED)
        self.by_name[DRAINED] += released

    async def _publish(self, endpoint: Endpoint, written: str = "", fanned_out: str = "") -> None:
        simulation = self._simulation
        event = new_event(
            endpoint.tenant, MessageReceived.model_validate(MessageReceived.example), Micros(simulation.now)
        )
        await publish(Database(self._client, simulation.stage), event)
        self._record(written)
        await simulation.fanout.fan_out(published(event), redelivered=False)
        self._record(fanned_out)

    async def _process_all(self, name: str) -> None:
        """Process every job that is there, and record what one took."""
        event = self._simulation.jobs.receive(max_messages=1000)
        for record in event["Records"]:
            await self._simulation.sender.process(Received(json.loads(record["body"]), redelivered=False))
        self._simulation.jobs.settle(event, {"batchItemFailures": []})
        self._record(name, share=1 / len(event["Records"]))

    async def _set(self, endpoint: Endpoint, new: Item, remove: Sequence[str] = ()) -> None:
        """Change the webhook, without counting."""
        assert await self._aside.update_if(WEBHOOKS, endpoint.key, set=new, remove=remove)

    def _record(self, name: str, share: float = 1.0) -> None:
        taken = self._client.taken().times(share)
        if name:
            self.by_name[name] = taken
