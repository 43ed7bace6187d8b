"""One event loop for all invocations of a function, so that connections and caches outlive an invocation."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_THREADS = 64

_own = threading.local()  # Lambda has one thread per process; the local stack has one per function


def run(work: Coroutine[Any, Any, T]) -> T:
    """Result of `work`, whatever it raises, on this thread's own loop."""
    return _runner().run(work)


def use_own_loop() -> None:
    """Make this thread's own loop asyncio's current loop, for libraries such as Mangum."""
    asyncio.set_event_loop(_runner().get_loop())


def _runner() -> asyncio.Runner:
    if not hasattr(_own, "runner"):
        _own.runner = asyncio.Runner()
        # Each look-up of a slow name blocks a thread, and must not delay boto3's calls.
        _own.runner.get_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    return _own.runner
