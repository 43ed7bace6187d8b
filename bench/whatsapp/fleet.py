"""The environments of the functions: processes that are started again when they died, one batch at a time each."""

import asyncio
import itertools
import json
import os
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.delivery.worker import ENVIRONMENT
from bench.servers import ROOT
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.queueing import DisorderlyQueue
from bench.whatsapp.worker import MAX_LINE, ProcessPlan
from callmissed.aws.batches import Failures
from callmissed.clock import SECOND

_LOST_SENDS = 1 / 200
_MAX_SKEW_SECONDS = 5


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Where the processes find their tables and Graph, and how long they live, in requests."""

    stage: str
    dynamodb: str
    graph: str
    seed: int
    scratch: Path
    lives: Mapping[str, float]


@dataclass
class Fleet:
    """Processes of the functions that `queues` names, and the queue of jobs that they send."""

    plan: FleetPlan
    clock: MovedClock
    queues: Mapping[str, DisorderlyQueue]
    jobs: DisorderlyQueue
    safe: bool = False
    busy: int = 0
    deaths: int = 0
    batches: int = 0
    _born: dict[str, "asyncio.Future[_Stream]"] = field(default_factory=dict[str, "asyncio.Future[_Stream]"])
    _tasks: "list[asyncio.Task[None]]" = field(default_factory=list["asyncio.Task[None]"])
    _parent: asyncio.subprocess.Process | None = None
    _server: asyncio.Server | None = None

    async def start(self, environments: Mapping[str, int]) -> None:
        """Start so many environments of each function."""
        self._draw = random.Random(f"{self.plan.seed} sends")
        self._server = await asyncio.start_unix_server(self._connected, self._socket, limit=MAX_LINE)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._parent = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.whatsapp.worker"),
            cwd=ROOT,
            env=inherited | ENVIRONMENT,
            stdin=asyncio.subprocess.PIPE,
        )
        for function, count in environments.items():
            for number in range(count):
                self._tasks.append(asyncio.ensure_future(self._environment(function, number)))

    async def stop(self) -> None:
        """End all processes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server:
            self._server.close()
        if self._parent and self._parent.stdin:
            self._parent.stdin.close()
            await self._parent.wait()

    def failed(self) -> None:
        """Raise what ended an environment, if anything did."""
        for task in self._tasks:
            if task.done():
                task.result()

    @property
    def log(self) -> Path:
        """What the processes logged."""
        return self.plan.scratch / "processes.log"

    @property
    def _socket(self) -> str:
        return str(self.plan.scratch / "fleet")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = json.loads(await reader.readline())["name"]
        self._born.pop(name).set_result(_Stream(reader, writer))

    async def _environment(self, function: str, number: int) -> None:
        queue = self.queues[function]
        for life in itertools.count():
            stream = await self._begin(f"{function} {number}.{life}", function)
            alive = True
            try:
                while alive:
                    records = await queue.take()
                    self.busy += 1
                    failures = await self._processed(stream, records)
                    queue.settle(records, failures)
                    self.busy -= 1
                    self.batches += 1
                    alive = failures is not None
            finally:
                stream.writer.close()
            self.deaths += 1

    async def _begin(self, name: str, function: str) -> "_Stream":
        plan, draw = self.plan, random.Random(f"{self.plan.seed} {name}")
        process = ProcessPlan(
            name=name,
            function=function,
            socket=self._socket,
            log=str(self.log),
            stage=plan.stage,
            dynamodb=plan.dynamodb,
            graph=plan.graph,
            seed=f"{plan.seed} life of {name}",
            requests=plan.lives[function],
            skew=round(draw.uniform(-_MAX_SKEW_SECONDS, _MAX_SKEW_SECONDS) * SECOND),
        )
        assert self._parent and self._parent.stdin
        self._born[name] = asyncio.get_running_loop().create_future()
        born = self._born[name]
        self._parent.stdin.write(process.line())
        return await born

    async def _processed(self, stream: "_Stream", records: list[dict[str, Any]]) -> Failures | None:
        """The failures of a batch; None if the process died."""
        with suppress(ConnectionError):
            stream.write({"records": records, "ahead": self.clock.ahead, "safe": self.safe})
            while line := await stream.reader.readline():
                if not line.endswith(b"\n"):
                    break  # it died in the middle of a line
                value = json.loads(line)
                if "done" in value:
                    return value["done"]
                stream.write({"taken": self._take_jobs(value["send"])})
        return None

    def _take_jobs(self, messages: list[dict[str, Any]]) -> bool:
        """Put jobs into the queue. Now and then it seems to fail, whether it did or not."""
        lost = not self.safe and self._draw.random() < _LOST_SENDS
        if not lost or self._draw.random() < 0.5:
            for message in messages:
                self.jobs.put(message["body"], message["delay_seconds"])
        return not lost


@dataclass(frozen=True, slots=True)
class _Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def write(self, value: dict[str, Any]) -> None:
        self.writer.write(json.dumps(value).encode() + b"\n")
