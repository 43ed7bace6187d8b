"""Many conversations at once, one of which has a model that is held until all others have their answers.

The real functions run in this process, with a batch of jobs for each environment that Lambda would start.
"""

import asyncio
import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.ours import PEPPER, REGION
from bench.whatsapp.callbacks import CallbackRelay
from bench.whatsapp.held_model import HELD_MODEL, held_model
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.queueing import BATCH, DisorderlyQueue, records_of
from bench.whatsapp.scenario import Customer, customers, open_shop, open_shops
from bench.whatsapp.worker import SEALER
from callmissed.aws.batches import each_message
from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.loader import read_catalog
from callmissed.catalog.model import Catalog
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

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Together:
    """Milliseconds from the start of all jobs to the send of the answer: of the `others`, and of the held one.

    `stored` are the milliseconds in which all messages were stored.
    """

    others: Sequence[float]
    held: float
    stored: float

    @property
    def waiting(self) -> int:
        """How many of the others had their answer after the held model's."""
        return sum(each > self.held for each in self.others)


class _TimedGraph(GraphClient):
    """A client that remembers when it sent an answer to each user."""

    def __init__(self, graph_url: str, client: SafeClient, answered: Callable[[], None]) -> None:
        super().__init__(graph_url, client)
        self.sent: dict[str, float] = {}
        self._answered = answered

    async def post(self, path: str, token: str, body: JsonObject) -> JsonObject:
        """As `GraphClient.post`."""
        answer = await super().post(path, token, body)
        if "to" in body:
            self.sent[f"{path.partition('/')[0]} {body['to']}"] = time.monotonic()
            self._answered()
        return answer


@dataclass
class _Environment:
    """One environment of each function of the queues, with clients of its own."""

    settings: CoreSettings
    graph_url: str
    clock: MovedClock
    jobs: DisorderlyQueue
    catalog: Catalog
    dynamodb: DynamoDB
    answered: Callable[[], None]

    def __post_init__(self) -> None:
        self.http = SafeClient(allow_loopback=True)
        self.graph = _TimedGraph(self.graph_url, self.http, self.answered)
        self.container = create_container(self.settings, self.clock, self.dynamodb, self.catalog)
        self.inbound = InboundWorker(self.container.database, self.jobs, self.clock)
        self.turns = create_worker(self.container, self.graph, SEALER, self.jobs, self.clock)

    async def store(self, records: Sequence[dict[str, Any]]) -> None:
        """Process a batch of callbacks."""
        assert not await self.inbound.failures(records)

    async def answer(self, records: Sequence[dict[str, Any]]) -> None:
        """Process a batch of jobs."""
        failures = await each_message({"Records": records}, self.turns.process, get_logger(TURN_WORKER.name))
        assert not failures["batchItemFailures"], json.dumps(failures)

    async def close(self) -> None:
        """Drop all connections."""
        await self.http.close()
        await self.container.close()


class Functions:
    """The functions of one stage, with `count` environments."""

    def __init__(
        self,
        tables: StageTables,
        graph: FakeGraph,
        count: int = 1,
        *,
        new_client: Callable[[], DynamoDB] | None = None,
        providers: Path | None = None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = MovedClock()
        self.graph = graph
        self._callbacks, self._jobs = DisorderlyQueue(self.clock), DisorderlyQueue(self.clock)
        settings = CoreSettings(
            stage=tables.stage,
            region=REGION,
            dynamodb_endpoint=tables.endpoint,
            peppers=PEPPER,
            providers_file=str(providers or ""),
            allow_loopback=True,
        )
        catalog = read_catalog(settings)
        new_client = new_client or partial(DynamoDB, REGION, tables.endpoint, timeout_seconds=_PATIENCE_SECONDS)
        self._environments = [
            _Environment(settings, f"{graph.url}/v24.0", self.clock, self._jobs, catalog, new_client(), answered)
            for _ in range(count)
        ]
        self.database = self._environments[0].container.database
        self._relay = CallbackRelay(self.database, tables.endpoint, self._callbacks, self.clock)

    @property
    def sent(self) -> dict[str, float]:
        """When an answer was sent, by number and user."""
        return {name: at for each in self._environments for name, at in each.graph.sent.items()}

    async def bring(self) -> int:
        """Bring what the phones wrote, and what became of answers, to the queue; returns the number of callbacks."""
        taken = self.graph.take()
        for callback in taken:
            self._relay.put(callback)
        await self._relay.idle()
        return len(taken)

    async def store(self) -> None:
        """Process all callbacks at once."""
        batches = zip(itertools.cycle(self._environments), _batches(self._callbacks), strict=False)
        await asyncio.gather(*(environment.store(batch) for environment, batch in batches))

    async def answer(self) -> None:
        """Process all jobs at once."""
        while jobs := _batches(self._jobs):  # a turn that could not go on asks for another job
            batches = zip(itertools.cycle(self._environments), jobs, strict=False)
            await asyncio.gather(*(environment.answer(batch) for environment, batch in batches))

    async def close(self) -> None:
        """Drop all connections."""
        await self._relay.close()
        for environment in self._environments:
            await environment.close()


def _batches(queue: DisorderlyQueue) -> list[list[dict[str, Any]]]:
    """All messages of a queue."""
    records = records_of(queue.take_all())
    return [records[start : start + BATCH] for start in range(0, len(records), BATCH)]


async def measure(tables: StageTables, conversations: int) -> Together:
    """Let `conversations` end users write at once, one of whom has a model that does not answer before all others."""
    with FakeGraph(options=GraphOptions(throughput=None)).serving() as graph:
        async with held_model() as model:
            last = _Last(conversations - 1, model.release)
            count = -(-conversations // BATCH)
            functions = Functions(tables, graph, count, providers=model.providers, answered=last.answered)
            try:
                shops = await open_shops(functions.database, graph, functions.clock)
                patient = await open_shop(functions.database, graph, functions.clock, len(shops), HELD_MODEL)
                first, *others = customers(graph, shops, conversations)
                await _warm_up(functions, first)
                last.begin()
                return await _measure(functions, customers(graph, [patient], 1)[0], others)
            finally:
                await functions.close()


@dataclass
class _Last:
    """Releases the held model after the last one of `count` answers."""

    count: int
    release: Callable[[], None]
    seen: int = 0

    def begin(self) -> None:
        """Count from now on."""
        self.seen = 0

    def answered(self) -> None:
        """One more answer was sent."""
        self.seen += 1
        if self.seen == self.count:
            self.release()


async def _warm_up(functions: Functions, customer: Customer) -> None:
    """The first turn of a process opens its connections."""
    customer.phone.say("Hello")
    await functions.bring()
    await functions.store()
    await functions.answer()


async def _measure(functions: Functions, patient: Customer, others: Sequence[Customer]) -> Together:
    patient.phone.say("What does the best loaf cost?")
    for number, customer in enumerate(others):
        customer.phone.say(f"What does loaf {number} cost?")
    began = time.monotonic()
    await functions.bring()
    await functions.store()
    stored = time.monotonic()
    await functions.answer()
    waited = {name: (at - stored) * 1000 for name, at in functions.sent.items()}
    held = waited.get(_name(patient), math.inf)
    return Together([waited[_name(each)] for each in others], held, (stored - began) * 1000)


def _name(customer: Customer) -> str:
    return f"{customer.shop.number_id} {customer.phone.user.wa_id}"
