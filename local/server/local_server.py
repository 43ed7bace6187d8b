"""The web server, and the announcement that it answers."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from local.errors import LocalStackError
from local.ports import answers, port_of, refused
from local.server.start_page import START_PATHS
from local.state.folder import Announcement, StateFolder

_GRACE_SECONDS = 2
_PROBE = "/api/v1/models"
_POLL_SECONDS = 0.02
_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"problems": {"()": "callmissed.observability.PlainFormatter"}},
    "handlers": {"problems": {"class": "logging.StreamHandler", "formatter": "problems", "stream": "ext://sys.stderr"}},
    "loggers": {
        "uvicorn": {"handlers": ["problems"], "level": "WARNING", "propagate": False},
        "callmissed.local": {"handlers": ["problems"], "level": "WARNING", "propagate": False},
    },
}


def create_local_app(admin: ASGIApp, gateway: ASGIApp, lifespan: ASGIApp) -> ASGIApp:
    """`admin` below `/_local` and for the start pages, `gateway` everywhere else.

    `lifespan` receives the server's start and end.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
        elif scope["path"].startswith("/_local/") or scope["path"] in START_PATHS:
            await admin(scope, receive, send)
        else:
            await gateway(scope, receive, send)

    return app


class LocalServer:
    """Serves `app` on `listener` from `start` until `ended` returns."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            log_config=_LOGS,
            access_log=False,  # CallLog writes the lines of calls
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when a real request has been answered. Raises `LocalStackError`."""
        port = port_of(self._listener)
        self._serving = asyncio.create_task(self._server.serve([self._listener]))
        while not self._server.started:
            await asyncio.wait([self._serving], timeout=_POLL_SECONDS)
            if self._serving.done():
                raise refused(port, self._serving.exception())
        status = await asyncio.to_thread(answers, port, _PROBE)
        if status != 200:
            raise LocalStackError(f"The stack started, but GET {_PROBE} answers {status}.")

    def announce(self, state: StateFolder, announcement: Announcement) -> None:
        """Write `dev.json`, and remove it at the signal to stop, before the last response is sent."""

        def stop(_signal: int, _frame: FrameType | None) -> None:
            state.withdraw()
            self._server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, stop)
        state.announce(announcement)

    async def ended(self) -> None:
        """Return when the server has stopped after a signal."""
        if self._serving is not None:
            await self._serving

    async def close(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving])
