"""What every Lambda handler needs: one event loop for all its invocations, and failures that quote nobody.

Connections and caches live as long as the loop, so they outlive an invocation.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from callmissed.clock import SECOND, Micros
from callmissed.observability import LoggableError, get_logger

T = TypeVar("T")
C = TypeVar("C")
Event = dict[str, Any]

_THREADS = 64

_own = threading.local()  # Lambda has one thread per process; the local stack has one per function


class InvocationFailedError(LoggableError):
    """An invocation failed. The function's log says why, as far as a log may."""


def at_micros(event: Event) -> Micros:
    """The time in what EventBridge Scheduler sends: `{"schedule": name, "at": ISO 8601 time}`.

    Raises KeyError, ValueError.
    """
    return Micros(int(datetime.fromisoformat(event["at"]).timestamp() * SECOND))


def logs_failures(name: str) -> Callable[[Callable[[Event, C], T]], Callable[[Event, C], T]]:
    """Decorates the handler of the function `name`: what it raises is logged, and raised as InvocationFailedError.

    Lambda prints the text of what a handler raises, keeps it with an event that failed for good, and a library's text
    may quote a caller or an upstream. Retries are as before, because the invocation fails all the same.
    """
    logger = get_logger(name)

    def decorate(handler: Callable[[Event, C], T]) -> Callable[[Event, C], T]:
        @wraps(handler)
        def logged(event: Event, context: C) -> T:
            try:
                return handler(event, context)
            except Exception:
                logger.exception("the invocation failed")
                raise InvocationFailedError("the invocation failed; see the failure before") from None

        return logged

    return decorate


def run(work: Coroutine[Any, Any, T]) -> T:
    """Result of `work`, whatever it raises, on this thread's own loop, or the one that it shares."""
    shared: asyncio.AbstractEventLoop | None = getattr(_own, "shared", None)
    return asyncio.run_coroutine_threadsafe(work, shared).result() if shared else _runner().run(work)


def share_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Let `run` on this thread use `loop`, which another thread runs: the local stack calls one function many times."""
    _own.shared = loop


def use_own_loop() -> None:
    """Make this thread's own loop asyncio's current loop, for libraries such as Mangum."""
    asyncio.set_event_loop(_runner().get_loop())


def _runner() -> asyncio.Runner:
    if not hasattr(_own, "runner"):
        _own.runner = asyncio.Runner()
        # Each look-up of a slow name blocks a thread, and must not delay boto3's calls.
        _own.runner.get_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    return _own.runner
