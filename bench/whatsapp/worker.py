"""Processes of the functions, forked from one that has imported everything: `python -m bench.whatsapp.worker`.

Each line of the input is a `ProcessPlan`. A process connects to the socket of its plan, processes one batch at a time,
and sends its jobs over the socket too.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.ours import PEPPER, REGION
from bench.whatsapp.lives import Life, MortalDynamoDB, MortalGraph
from bench.whatsapp.moments import MovedClock
from callmissed.aws.batches import Failures, each_message
from callmissed.aws.database import Database
from callmissed.aws.queues import Message, QueueUnavailable
from callmissed.clock import micros_of
from callmissed.http.client import SafeClient
from callmissed.observability import get_logger
from callmissed.platform.functions.bots import TURN_SCHEDULER, TURN_WORKER, WHATSAPP_INBOUND
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from callmissed_ai.calls.container import create_container
from functions.bots.conversations.due import DueConversations
from functions.bots.handlers.turn_worker import create_worker
from functions.bots.inbound.worker import InboundWorker
from tests.support.bots.bots_api import RING

SEALER = Sealer(RING)
MAX_LINE = 2**24
_Process = Callable[[list[dict[str, Any]]], Awaitable[Failures]]


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """A process of `function` with a clock that is `skew` microseconds off; it lives for about `requests` requests."""

    name: str
    function: str
    socket: str
    log: str
    stage: str
    dynamodb: str
    graph: str
    seed: str
    requests: float
    skew: int

    def line(self) -> bytes:
        """The plan as the input has it."""
        return json.dumps(asdict(self)).encode() + b"\n"


class _Connection:
    """The parent: it hands out batches, and takes jobs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()
        self._acknowledged: asyncio.Queue[bool] = asyncio.Queue()
        self.batches: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def write(self, value: dict[str, Any]) -> None:
        self._writer.write(json.dumps(value).encode() + b"\n")

    async def send(self, messages: Sequence[Message]) -> None:
        """As `Sending.send`."""
        if not messages:
            return
        async with self._sending:
            self.write({"send": [asdict(message) for message in messages]})
            if not await self._acknowledged.get():
                raise QueueUnavailable("injected")

    async def read(self) -> None:
        """Read until the parent goes."""
        while line := await self._reader.readline():
            value = json.loads(line)
            if "taken" in value:
                self._acknowledged.put_nowait(value["taken"])
            else:
                self.batches.put_nowait(value)
        self.batches.put_nowait(None)


async def _live(plan: ProcessPlan) -> None:
    reader, writer = await asyncio.open_unix_connection(plan.socket, limit=MAX_LINE)
    connection, clock, life = _Connection(reader, writer), MovedClock(), Life(plan.seed, plan.requests)
    connection.write({"name": plan.name})
    process = _process_of(plan, connection, clock, life)
    reading = asyncio.ensure_future(connection.read())
    while batch := await connection.batches.get():
        clock.ahead, life.safe = batch["ahead"] + plan.skew, batch["safe"]
        connection.write({"done": await process(batch["records"])})
    await reading


def _process_of(plan: ProcessPlan, jobs: _Connection, clock: MovedClock, life: Life) -> _Process:
    """What the function does with a batch."""
    dynamodb = MortalDynamoDB(REGION, plan.dynamodb, life)
    database = Database(dynamodb, plan.stage)
    if plan.function == WHATSAPP_INBOUND.name:
        inbound = InboundWorker(database, jobs, clock)

        async def store(records: list[dict[str, Any]]) -> Failures:
            return {"batchItemFailures": [{"itemIdentifier": id} for id in await inbound.failures(records)]}

        return store
    if plan.function == TURN_SCHEDULER.name:
        due = DueConversations(database, jobs, clock)

        async def see_to(records: list[dict[str, Any]]) -> Failures:
            for record in records:
                await due.process(micros_of(json.loads(record["body"])["at"]))
            return {"batchItemFailures": []}

        return see_to
    settings = CoreSettings(stage=plan.stage, region=REGION, dynamodb_endpoint=plan.dynamodb, peppers=PEPPER)
    graph = MortalGraph(plan.graph, SafeClient(allow_loopback=True), life)
    turns = create_worker(create_container(settings, clock, dynamodb), graph, SEALER, jobs, clock)

    async def answer(records: list[dict[str, Any]]) -> Failures:
        return await each_message({"Records": records}, turns.process, get_logger(TURN_WORKER.name))

    return answer


def _fork(plan: ProcessPlan) -> None:
    if os.fork():
        return
    log = os.open(plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        asyncio.run(_live(plan))
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    """Fork a process for each line of the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        _fork(ProcessPlan(**json.loads(line)))


if __name__ == "__main__":
    main()
