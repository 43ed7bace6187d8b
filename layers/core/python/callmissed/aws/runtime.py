"""One event loop for all invocations of a function, so that connections and memories outlive a single one."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_THREADS = 64

_own = threading.local()  # Lambda has one thread a process; the local stack has one a function


def run(work: Coroutine[Any, Any, T]) -> T:
    """Result of `work`, whatever it raises, on this thread's own loop."""
    return _runner().run(work)


def use_own_loop() -> None:
    """Make this thread's own loop the one that asyncio gives to whoever asks, such as Mangum."""
    asyncio.set_event_loop(_runner().get_loop())


def _runner() -> asyncio.Runner:
    if not hasattr(_own, "runner"):
        _own.runner = asyncio.Runner()
        # Look-ups of slow names hold a thread each, and must not keep boto3's calls waiting.
        _own.runner.get_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    return _own.runner
