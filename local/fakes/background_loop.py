"""An event loop in a thread of its own, in which a stand-in serves beside whatever uses it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

_START_SECONDS = 30


@contextmanager
def background_loop(name: str) -> Generator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """An event loop in the thread `name`; the function yielded runs a coroutine there and waits for its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(_START_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_SECONDS)
        loop.close()
