"""Servers in threads of the test process: an event loop to run coroutines on, and uvicorn on a free port."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@contextmanager
def background_loop() -> Generator[Run]:
    """An event loop in a thread; the function yielded runs a coroutine there and waits for its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def listening_socket() -> socket.socket:
    """A socket bound to a free port of loopback, so that nobody else can take the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def uvicorn_serving(app: ASGIApp) -> Generator[str]:
    """Serve `app` as the deployed function does, and yield its base URL."""
    with listening_socket() as listener:
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", log_level="critical", access_log=False, timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(15)
