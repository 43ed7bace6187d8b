"""A scriptable OpenAI-compatible upstream: each request is answered by the next behaviour that a test has queued.

It runs in a thread of its own on loopback, records what it was sent, and notes when its caller hangs up on it.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from functions.inference.multipart import MEDIA_TYPE, parse_form
from tests.support.threads import background_loop

WAIT_SECONDS = 20.0
"""How long anything may take before a test gives up; nothing is asserted about time."""


class Gate:
    """Closed until a test opens it; an upstream waits at it in the midst of its answer."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._reached = threading.Event()

    def open(self) -> None:
        self._open.set()

    async def pass_through(self) -> None:
        self._reached.set()
        await until(self._open.is_set)

    async def reached(self) -> None:
        """Wait, in the test's loop, for the upstream to stand at the gate."""
        await until(self._reached.is_set)


@dataclass(slots=True)
class Received:
    """One request as the upstream got it; `cut` is set when the caller hung up before the answer's end."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    peer: object = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)


Behaviour = Callable[[web.Request, Received], Awaitable[web.StreamResponse]]


class FakeUpstream:
    """The upstream as tests see it. `otherwise` answers when nothing is queued; `files` are there to be fetched."""

    def __init__(self, otherwise: Behaviour) -> None:
        self.requests: list[Received] = []
        self.otherwise = otherwise
        self.files: dict[str, tuple[int, bytes]] = {}
        self.port = 0
        self._queue: deque[Behaviour] = deque()

    def will(self, *behaviours: Behaviour) -> None:
        """Queue one behaviour a request."""
        self._queue.extend(behaviours)

    def forget(self) -> None:
        """Drop what is queued and recorded."""
        self._queue.clear()
        self.requests.clear()
        self.files.clear()

    @property
    def unused(self) -> int:
        """Behaviours that are still queued."""
        return len(self._queue)

    @property
    def only(self) -> Received:
        """The one request that came."""
        (received,) = self.requests
        return received

    async def arrival(self, number: int = 1) -> Received:
        """The `number`th request, once it is there."""
        await until(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport and request.transport.get_extra_info("peername")
        received = Received(request.path, headers, _body(headers, raw), raw, peer, query=dict(request.query))
        self.requests.append(received)
        behaviour = self._queue.popleft() if self._queue else self.otherwise
        try:
            response = await behaviour(request, received)
            received.answered.set()
            return response
        except (asyncio.CancelledError, ConnectionError):
            received.cut.set()
            raise

    async def file(self, request: web.Request) -> web.Response:
        status, body = self.files.get(request.path, (404, b""))
        headers = {"Location": "/png"} if status == 302 else {}
        return web.Response(status=status, body=body, headers=headers, content_type="text/plain")

    @contextmanager
    def serving(self) -> Generator["FakeUpstream"]:
        """Serve on a free port of loopback until the block ends."""
        with background_loop() as run:
            runner = run(self._start())
            try:
                yield self
            finally:
                run(runner.cleanup())

    async def _start(self) -> web.AppRunner:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/{path:.*}", self.answer)
        app.router.add_get("/{path:.*}", self.file)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner


def _body(headers: Mapping[str, str], raw: bytes) -> dict[str, Any]:
    """The fields of a JSON object or a form; none of other bytes."""
    content_type = headers.get("content-type", "")
    if content_type.startswith("application/json"):
        return json.loads(raw)
    return parse_form(raw, content_type) if content_type.startswith(MEDIA_TYPE) else {}


async def until(condition: Callable[[], object]) -> None:
    """Wait for `condition` to become true. Raises TimeoutError, which fails the test."""

    async def asked() -> object:
        return condition()

    await eventually(asked)


async def eventually(condition: Callable[..., Awaitable[object]], *arguments: Any) -> None:
    """Wait for `condition(*arguments)` to become true. Raises TimeoutError, which fails the test."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition(*arguments):  # noqa: ASYNC110  what is waited for happens elsewhere
            await asyncio.sleep(0.002)
