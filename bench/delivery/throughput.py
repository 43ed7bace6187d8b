"""How many messages a worker processes in a second, and what of its CPU one takes."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.delivery.pipeline import Pipeline
from bench.delivery.queueing import MemoryQueue
from callmissed.aws.batches import Received
from callmissed.aws.queues import Message
from callmissed.platform.queues import DISPATCH


@dataclass(frozen=True, slots=True)
class Load:
    """Messages to process: jobs for the sender, or what the bus sends the fan-out. The first `warm_up` count not."""

    dynamodb: str
    bodies: Sequence[dict[str, Any]]
    warm_up: int


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` messages took so many seconds, and so many of the worker's CPU."""

    count: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Messages per second."""
        return self.count / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU per message."""
        return 1000 * self.cpu_seconds / self.count


async def deliver(load: Load) -> Rate:
    """Make the first attempts of deliveries."""
    pipeline = Pipeline(load.dynamodb)
    return await _timed(pipeline, pipeline.jobs, pipeline.sender.process, load)


async def fan_out(load: Load) -> Rate:
    """Fan events out."""
    pipeline = Pipeline(load.dynamodb)
    return await _timed(pipeline, pipeline.events, pipeline.fan_out, load)


async def _timed(
    pipeline: Pipeline, queue: MemoryQueue, work: Callable[[Received], Awaitable[None]], load: Load
) -> Rate:
    await queue.send([Message(body, group="") for body in load.bodies])
    await pipeline.work(queue, work, _batches(load.warm_up))
    count, began, cpu = len(queue), time.perf_counter(), time.process_time()
    await pipeline.work(queue, work, _batches(count))
    rate = Rate(count, time.perf_counter() - began, time.process_time() - cpu)
    await pipeline.close()
    return rate


def _batches(messages: int) -> int:
    return -(-messages // DISPATCH.batch)
