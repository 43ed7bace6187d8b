"""The load generator: calls of one dialect over aiohttp at a fixed concurrency, timed call by call.

`python -m bench.load` reads one job per line (JSON) and writes one line per job: what it counted, or the failure.
It is a process of its own so that its CPU never mixes with that of a gateway.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import aiohttp
import uvloop

from bench.dialects import CHAT, DIALECTS, WORDS, request

TIMEOUT = aiohttp.ClientTimeout(total=60)


class WrongAnswerError(Exception):
    """A gateway answered with something else than the upstream's completion."""


@dataclass(frozen=True, slots=True)
class Job:
    """`calls` measured calls in `dialect`, `concurrency` at a time."""

    base_url: str
    headers: dict[str, str]
    model: str
    stream: bool
    concurrency: int
    calls: int
    dialect: str = CHAT

    def body(self) -> bytes:
        """The request's body."""
        return json.dumps(request(self.dialect, self.model, stream=self.stream)).encode()


@dataclass(frozen=True, slots=True)
class Sample:
    """Times of one call in milliseconds; `db` is what the gateway says it waited for DynamoDB before the head."""

    first: float
    total: float
    db: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What a job did: `calls` counts the unmeasured ones too, for dividing a gateway's CPU."""

    calls: int = 0
    samples: list[Sample] = field(default_factory=list[Sample])


def server_timing(value: str) -> dict[str, float]:
    """Durations in milliseconds by metric name from a `Server-Timing` header; metrics without one are left out."""
    durations: dict[str, float] = {}
    for metric in value.split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, number = parameter.partition("=")
            if key == "dur":
                durations[name] = float(number)
    return durations


def check_answer(job: Job, status: int, body: bytes) -> None:
    """Raise `WrongAnswerError` unless all 24 words arrived (and, streamed, the end)."""
    complete = all(word.encode() in body for word in WORDS)
    if status != 200 or not complete or (job.stream and DIALECTS[job.dialect].end not in body):
        raise WrongAnswerError(f"{job.base_url} answered {status}: {body[:500].decode(errors='replace')}")


async def call(session: aiohttp.ClientSession, job: Job, body: bytes) -> Sample:
    """One call, read to its end. Raises `WrongAnswerError` and aiohttp's client errors."""
    started = time.perf_counter()
    async with session.post(job.base_url + DIALECTS[job.dialect].path, data=body, headers=job.headers) as response:
        chunks = [await response.content.readany()]
        first = time.perf_counter()
        chunks.extend([chunk async for chunk in response.content.iter_any()])
        ended = time.perf_counter()
        check_answer(job, response.status, b"".join(chunks))
        db = server_timing(response.headers.get("Server-Timing", "")).get("db", 0.0)
    return Sample(1000 * (first - started), 1000 * (ended - started), db)


async def _work(session: aiohttp.ClientSession, job: Job, tickets: Iterator[int], outcome: Outcome) -> None:
    body = job.body()
    await call(session, job, body)  # opens the connection, so it is not measured
    outcome.calls += 1
    for _ in tickets:
        outcome.samples.append(await call(session, job, body))
        outcome.calls += 1


async def run(job: Job) -> Outcome:
    """Do `job`. Raises `WrongAnswerError` and aiohttp's client errors, wrapped in an exception group."""
    outcome = Outcome()
    tickets = iter(range(job.calls))
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, headers=headers)
    async with session, asyncio.TaskGroup() as group:
        for _ in range(job.concurrency):
            group.create_task(_work(session, job, tickets, outcome))
    return outcome


def answer(line: str) -> Mapping[str, object]:
    """The reply to one line of input: an outcome, or the first failure in words."""
    try:
        return asdict(uvloop.run(run(Job(**json.loads(line)))))
    except* (WrongAnswerError, aiohttp.ClientError, TimeoutError) as failures:
        message = str(failures.exceptions[0]) or repr(failures.exceptions[0])
    return {"error": message}


def main() -> None:
    """Answer jobs until the input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
