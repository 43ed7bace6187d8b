"""A limit on how long a caller waits for a billed call. What is being charged is waited for."""

from asyncio import ensure_future, gather, wait
from collections.abc import Coroutine
from typing import Any, TypeVar

from callmissed_ai.calls.call import Call

T = TypeVar("T")


async def within(seconds: float, call: Call, running: Coroutine[Any, Any, T]) -> T:
    """The result of `running`, the run of `call`. After `seconds` it is cancelled, unless its settlement has begun.

    Raises TimeoutError: nothing is charged then.
    """
    task = ensure_future(running)
    try:
        await wait({task}, timeout=seconds)
        if task.done() or call.settling:
            return await task
        raise TimeoutError
    finally:
        task.cancel()
        await gather(task, return_exceptions=True)
