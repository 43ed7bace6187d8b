"""How long a quiet tenant's event takes from the outbox to the endpoint, alone and beside a neighbour that is dead."""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.delivery.stage import Stage
from callmissed.aws.queues import Message
from callmissed.clock import system_clock

WORKERS = 8
STEP = 5
RING_SECONDS = 3.0
MOST_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Scene:
    """`count` events of the tenant `quiet`, `pace` a second on average.

    `dead` is a tenant whose endpoint never answers: it tells as many events as the quiet one at the same pace, when it
    is set, and has the jobs `burst` in the queue when all begins. Eight senders work side by side, each on a batch of
    ten; where `scales` is set, five, and five more each second for as long as jobs wait, as Lambda adds them.
    """

    dynamodb: str
    receiver: str
    quiet: str
    count: int
    pace: float
    dead: str = ""
    burst: Sequence[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    fair: bool = True
    scales: bool = False


async def measure(scene: Scene) -> list[float]:
    """Delay of each of the quiet tenant's events in milliseconds. Raises TimeoutError when one never arrives."""
    stage = Stage(scene.dynamodb, fair=scene.fair)
    always = [*_workers(stage, scene), _ring(stage)]
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work) for work in always]
    try:
        await _pace(stage, scene.quiet, 10, scene.pace)  # opens connections
        await _arrivals(scene.receiver, 10)
        await stage.jobs.send([Message(body, group=body["t"]) for body in scene.burst])
        if scene.dead and not scene.burst:
            tasks.append(asyncio.create_task(_pace(stage, scene.dead, scene.count, scene.pace)))
        told = dict(await _pace(stage, scene.quiet, scene.count, scene.pace))
        arrived = await _arrivals(scene.receiver, scene.count)
    finally:
        await _end(tasks)
        await stage.close()
    return [1000 * (arrived[id] - moment) for id, moment in told.items()]


def _workers(stage: Stage, scene: Scene) -> list[Coroutine[Any, Any, None]]:
    fanouts = [stage.work(stage.events, stage.fan_out) for _ in range(WORKERS)]
    if scene.scales:
        return [*fanouts, _scale(stage)]
    return [*fanouts, *(stage.work(stage.jobs, stage.sender.process) for _ in range(WORKERS))]


async def _scale(stage: Stage) -> None:
    new = STEP
    async with asyncio.TaskGroup() as senders:
        while True:
            for _ in range(new):
                senders.create_task(stage.work(stage.jobs, stage.sender.process))
            await asyncio.sleep(1)
            new = STEP if len(stage.jobs) else 0


async def _ring(stage: Stage) -> None:
    """The scheduler, which on AWS runs each minute; more often here, so that probes are made while we measure."""
    while True:
        await stage.scheduler.enqueue_due(system_clock())
        await asyncio.sleep(RING_SECONDS)


async def _pace(stage: Stage, tenant: str, count: int, pace: float) -> list[tuple[str, float]]:
    """Tell events at random moments, however long telling one takes, so that tenants don't move in step."""
    moment, luck = time.monotonic(), random.Random(tenant)
    telling: list[asyncio.Task[tuple[str, float]]] = []
    for _ in range(count):
        moment += luck.expovariate(pace)
        await asyncio.sleep(moment - time.monotonic())
        telling.append(asyncio.create_task(stage.tell(tenant)))
    return await asyncio.gather(*telling)


async def _arrivals(receiver: str, count: int) -> dict[str, float]:
    """When each of `count` events came, by its id, once all of them have."""
    arrived: dict[str, float] = {}
    async with aiohttp.ClientSession() as session, asyncio.timeout(MOST_SECONDS):
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
