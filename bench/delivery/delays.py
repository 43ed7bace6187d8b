"""Delay of a quiet tenant's event from the outbox to the endpoint, alone and beside a tenant whose endpoint is down."""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.delivery.pipeline import Pipeline
from callmissed.aws.queues import Message
from callmissed.clock import system_clock

WORKERS = 8
STEP = 5
SCHEDULER_SECONDS = 3.0
MAX_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """`count` events of the tenant `quiet`, `pace` a second on average.

    `failing` is a tenant whose endpoint never answers. When set, this tenant publishes as many events as the quiet one
    at the same pace, and the jobs `burst` are in the queue at the start. Eight senders work in parallel, each on a
    batch of ten; with `scales` there are five, and five more each second while jobs wait, as Lambda adds them.
    """

    dynamodb: str
    receiver: str
    quiet: str
    count: int
    pace: float
    failing: str = ""
    burst: Sequence[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    fair: bool = True
    scales: bool = False


async def measure(scenario: Scenario) -> list[float]:
    """Delay of each of the quiet tenant's events in milliseconds. Raises TimeoutError when one never arrives."""
    pipeline = Pipeline(scenario.dynamodb, fair=scenario.fair)
    always = [*_workers(pipeline, scenario), _enqueue_due(pipeline)]
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work) for work in always]
    try:
        await _pace(pipeline, scenario.quiet, 10, scenario.pace)  # opens connections
        await _arrivals(scenario.receiver, 10)
        await pipeline.jobs.send([Message(body, group=body["t"]) for body in scenario.burst])
        if scenario.failing and not scenario.burst:
            tasks.append(asyncio.create_task(_pace(pipeline, scenario.failing, scenario.count, scenario.pace)))
        published = dict(await _pace(pipeline, scenario.quiet, scenario.count, scenario.pace))
        arrived = await _arrivals(scenario.receiver, scenario.count)
    finally:
        await _end(tasks)
        await pipeline.close()
    return [1000 * (arrived[id] - moment) for id, moment in published.items()]


def _workers(pipeline: Pipeline, scenario: Scenario) -> list[Coroutine[Any, Any, None]]:
    fanouts = [pipeline.work(pipeline.events, pipeline.fan_out) for _ in range(WORKERS)]
    if scenario.scales:
        return [*fanouts, _scale(pipeline)]
    return [*fanouts, *(pipeline.work(pipeline.jobs, pipeline.sender.process) for _ in range(WORKERS))]


async def _scale(pipeline: Pipeline) -> None:
    new = STEP
    async with asyncio.TaskGroup() as senders:
        while True:
            for _ in range(new):
                senders.create_task(pipeline.work(pipeline.jobs, pipeline.sender.process))
            await asyncio.sleep(1)
            new = STEP if len(pipeline.jobs) else 0


async def _enqueue_due(pipeline: Pipeline) -> None:
    """The scheduler, which on AWS runs each minute; more often here, so that probes are made while we measure."""
    while True:
        await pipeline.scheduler.enqueue_due(system_clock())
        await asyncio.sleep(SCHEDULER_SECONDS)


async def _pace(pipeline: Pipeline, tenant: str, count: int, pace: float) -> list[tuple[str, float]]:
    """Publish events at random moments, however long each takes, so that the tenants' events don't coincide."""
    moment, intervals = time.monotonic(), random.Random(tenant)
    publishing: list[asyncio.Task[tuple[str, float]]] = []
    for _ in range(count):
        moment += intervals.expovariate(pace)
        await asyncio.sleep(moment - time.monotonic())
        publishing.append(asyncio.create_task(pipeline.publish(tenant)))
    return await asyncio.gather(*publishing)


async def _arrivals(receiver: str, count: int) -> dict[str, float]:
    """When each of `count` events came, by its id, once all of them have."""
    arrived: dict[str, float] = {}
    async with aiohttp.ClientSession() as session, asyncio.timeout(MAX_SECONDS):
        while len(arrived) < count:
            await asyncio.sleep(0.2)
            async with session.get(f"{receiver}/arrivals") as response:
                arrived |= await response.json()
    return arrived


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel what goes on for ever. Raises what any of it raised before."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
