"""Many conversations at once, one of which has a slow model: how long the others wait for their answers.

The real functions run in this process, with a batch of jobs for each environment that Lambda would start.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.ours import PEPPER, REGION
from bench.whatsapp.callbacks import CallbackRelay
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.queueing import BATCH, DisorderlyQueue, records_of
from bench.whatsapp.scenario import Customer, customers, open_shops
from bench.whatsapp.worker import SEALER
from callmissed.aws.batches import each_message
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.http.client import SafeClient
from callmissed.observability import get_logger
from callmissed.platform.functions.bots import TURN_WORKER
from callmissed.settings import CoreSettings
from callmissed_ai.calls.container import create_container
from functions.bots.channels.whatsapp.graph import GraphClient, JsonObject
from functions.bots.handlers.turn_worker import create_worker
from functions.bots.inbound.worker import InboundWorker
from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import GraphOptions

SLOW_MS = 5000
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Together:
    """Milliseconds from the start of all jobs to the send of the answer: of the `others`, and of the slow one.

    `stored` are the milliseconds in which all messages were stored.
    """

    others: Sequence[float]
    slow: float
    stored: float

    @property
    def before_slow(self) -> int:
        """How many of the others had their answer before the slow one."""
        return sum(each < self.slow for each in self.others)


class _TimedGraph(GraphClient):
    """A client that remembers when it sent an answer to each user."""

    def __init__(self, graph_url: str, client: SafeClient) -> None:
        super().__init__(graph_url, client)
        self.sent: dict[str, float] = {}

    async def post(self, path: str, token: str, body: JsonObject) -> JsonObject:
        """As `GraphClient.post`."""
        answer = await super().post(path, token, body)
        if "to" in body:
            self.sent[f"{path.partition('/')[0]} {body['to']}"] = time.monotonic()
        return answer


@dataclass
class _Functions:
    """The functions of one stage, and what they share."""

    tables: StageTables
    graph: FakeGraph
    clock: MovedClock = field(default_factory=MovedClock)

    def __post_init__(self) -> None:
        dynamodb = DynamoDB(REGION, self.tables.endpoint, timeout_seconds=_PATIENCE_SECONDS)
        self.database = Database(dynamodb, self.tables.stage)
        self.callbacks = DisorderlyQueue(self.clock)
        self.jobs = DisorderlyQueue(self.clock)
        self.relay = CallbackRelay(self.database, self.tables.endpoint, self.callbacks, self.clock)
        self.inbound = InboundWorker(self.database, self.jobs, self.clock)
        self.http = SafeClient(allow_loopback=True)
        self.timed = _TimedGraph(f"{self.graph.url}/v24.0", self.http)
        settings = CoreSettings(
            stage=self.tables.stage, region=REGION, dynamodb_endpoint=self.tables.endpoint, peppers=PEPPER
        )
        self.container = create_container(settings, self.clock, dynamodb)
        self.turns = create_worker(self.container, self.timed, SEALER, self.jobs, self.clock)

    async def store(self) -> None:
        """Bring what the phones wrote to the tables."""
        for callback in self.graph.take():
            self.relay.put(callback)
        await self.relay.idle()
        records = records_of(self.callbacks.take_all())
        batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
        assert not any(await asyncio.gather(*map(self.inbound.failures, batches)))

    async def answer(self) -> None:
        """Process all jobs, each batch as an environment of its own would."""
        records = records_of(self.jobs.take_all())
        batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
        await asyncio.gather(*map(self._answer_batch, batches))

    async def close(self) -> None:
        """Drop all connections."""
        await self.relay.close()
        await self.http.close()
        await self.container.close()

    async def _answer_batch(self, records: list[dict[str, Any]]) -> None:
        failures = await each_message({"Records": records}, self.turns.process, get_logger(TURN_WORKER.name))
        assert not failures["batchItemFailures"], json.dumps(failures)


async def measure(tables: StageTables, conversations: int) -> Together:
    """Let `conversations` end users write at once, one of whom gets a slow model."""
    options = GraphOptions(throughput=None)
    with FakeGraph(options=options).serving() as graph:
        functions = _Functions(tables, graph)
        try:
            shops = await open_shops(functions.database, graph, functions.clock)
            people = customers(graph, shops, conversations + 1)
            return await _measure(functions, people)
        finally:
            await functions.close()


async def _measure(functions: _Functions, people: Sequence[Customer]) -> Together:
    first, slow, *others = people
    first.phone.say("Hello")  # the first turn of a process reads the catalog
    await functions.store()
    await functions.answer()
    slow.phone.say(f"sandbox:slow {SLOW_MS}")
    for number, customer in enumerate(others):
        customer.phone.say(f"What does loaf {number} cost?")
    began = time.monotonic()
    await functions.store()
    stored = time.monotonic()
    await functions.answer()
    waited = {name: (at - stored) * 1000 for name, at in functions.timed.sent.items()}
    return Together([waited[_name(each)] for each in others], waited[_name(slow)], (stored - began) * 1000)


def _name(customer: Customer) -> str:
    return f"{customer.shop.number_id} {customer.phone.user.wa_id}"
