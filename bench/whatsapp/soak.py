"""Thousands of messages through everything that goes wrong: what is lost, answered twice, or charged twice."""

import random
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.ours import REGION
from bench.whatsapp import audit
from bench.whatsapp.audit import Audit
from bench.whatsapp.callbacks import CallbackRelay
from bench.whatsapp.fleet import Fleet, FleetPlan
from bench.whatsapp.leftovers import any_waits, collect
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.queueing import DisorderlyQueue
from bench.whatsapp.scenario import Customer, Shop, arrivals, customers, open_shops
from bench.whatsapp.storm import Storm
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.platform.functions.bots import TURN_SCHEDULER, TURN_WORKER, WHATSAPP_INBOUND
from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import GraphOptions
from tests.support.aws.dynamodb_proxy import DynamoProxy

ENVIRONMENTS = {WHATSAPP_INBOUND.name: 2, TURN_WORKER.name: 3, TURN_SCHEDULER.name: 1}
LIVES = {WHATSAPP_INBOUND.name: 120.0, TURN_WORKER.name: 160.0, TURN_SCHEDULER.name: 60.0}
"""Requests of a process before it dies, on average."""

_TWICE = 1 / 40
_HOLD_SECONDS = 0.05
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class WhatsAppSoakLoad:
    """`messages` in `conversations`; the same `seed` draws the same faults, deaths and texts."""

    messages: int
    conversations: int
    seed: int


@dataclass(frozen=True, slots=True)
class WhatsAppSoak:
    """Result of a soak: what went wrong on the way, and what it left."""

    load: WhatsAppSoakLoad
    deaths: int
    faults: int
    callbacks: int
    seconds: float
    audit: Audit
    log: str
    """What the processes logged."""


async def soak(load: WhatsAppSoakLoad, tables: StageTables) -> WhatsAppSoak:
    """Send all messages through the storm, let everything settle, and compare what there is with what was said."""
    began, clock, draw = time.monotonic(), MovedClock(), random.Random(load.seed)
    options = GraphOptions(seed=load.seed, clock=clock.seconds, hold_seconds=_HOLD_SECONDS)
    with (
        DynamoProxy(tables.endpoint).serving() as proxy,
        FakeGraph(options=options).serving() as graph,
        tempfile.TemporaryDirectory() as scratch,
    ):
        async with _database(tables.endpoint, tables.stage) as database:
            shops = await open_shops(database, graph, clock)
            people = customers(graph, shops, load.conversations)
            plan = FleetPlan(tables.stage, proxy.url, f"{graph.url}/v24.0", load.seed, Path(scratch), LIVES)
            queues = {name: DisorderlyQueue(clock, draw, _TWICE) for name in ENVIRONMENTS}
            fleet = Fleet(plan, clock, queues, queues[TURN_WORKER.name])
            relay = CallbackRelay(database, proxy.url, queues[WHATSAPP_INBOUND.name], clock)
            storm = Storm(clock, graph, relay, fleet, proxy, random.Random(f"{load.seed} storm"))
            await fleet.start(ENVIRONMENTS)
            try:
                await storm.rage(people, arrivals(draw, load.messages, load.conversations, clock()))
                settled = await storm.settle(lambda: any_waits(database))
            finally:
                await fleet.stop()
                await relay.close()
            found = await _audit(database, graph, clock, shops, people)
            found.none("minutes were not enough", [] if settled else ["something waits for ever"])
            log = fleet.log.read_text(errors="replace")
    faults = storm.faults + sum(fault["hits"] for fault in storm.graph_faults)
    return WhatsAppSoak(load, fleet.deaths, faults, relay.posts, time.monotonic() - began, found, log)


async def _audit(
    database: Database, graph: FakeGraph, clock: MovedClock, shops: list[Shop], people: list[Customer]
) -> Audit:
    found = Audit()
    await audit.check_wallets(found, database, clock, shops)
    left = await collect(database, graph)
    audit.check_messages(found, left, people)
    audit.check_turns(found, left)
    audit.check_deliveries(found, left)
    audit.check_charges(found, left)
    return found


@asynccontextmanager
async def _database(endpoint: str, stage: str) -> AsyncGenerator[Database]:
    database = Database(DynamoDB(REGION, endpoint, timeout_seconds=_PATIENCE_SECONDS), stage)
    try:
        yield database
    finally:
        await database.close()
