"""Concurrent awaitables, a limited number at a time."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

Result = TypeVar("Result")


async def gather_limited(awaitables: Iterable[Awaitable[Result]], limit: int = 20) -> list[Result]:
    """Results in the order of the awaitables, of which at most `limit` run. Raises the first exception."""
    gate = asyncio.Semaphore(limit)

    async def gated(awaitable: Awaitable[Result]) -> Result:
        async with gate:
            return await awaitable

    return list(await asyncio.gather(*map(gated, awaitables)))
