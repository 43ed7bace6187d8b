"""One line in the terminal for each call: time, method and path, status, milliseconds, model, credits, request id."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.money import show
from callmissed_ai.calls.call import Call

_NOTHING = "-"
_MAX_PATH = 200
_STYLES = {"2": "green", "3": "cyan", "4": "yellow", "5": "red"}


@dataclass(slots=True)
class _Served:
    """What the response has said so far. Without a response the client has left, or the call was broken off."""

    status: str = _NOTHING
    request_id: str = _NOTHING

    def read(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = str(message["status"])
            self.request_id = Headers(raw=message["headers"]).get("x-request-id", _NOTHING)


class CallLog:
    """Prints to `console` one line when a call of `app` has ended. `clock` measures seconds."""

    def __init__(self, app: ASGIApp, console: Console, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._console = console
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        served, begun = _Served(), self._clock()
        state = scope.setdefault("state", {})

        async def reading(message: Message) -> None:
            served.read(message)
            await send(message)

        try:
            await self._app(scope, receive, reading)
        finally:
            milliseconds = round((self._clock() - begun) * 1000)
            self._print(scope, served, milliseconds, state.get("call"))

    def _print(self, scope: Scope, served: _Served, milliseconds: int, call: Call | None) -> None:
        line = Text(f"{time.strftime('%H:%M:%S')}  {scope['method']} {_path(scope)}  ")
        line.append(served.status, _STYLES.get(served.status[0]))
        line.append(f"  {milliseconds} ms  {'  '.join(_cost(call))}  {served.request_id}")
        self._console.print(line, soft_wrap=True)


def _path(scope: Scope) -> str:
    """The path as it was sent, without the query, which may hold a token."""
    text = scope["raw_path"][:_MAX_PATH].decode("ascii", "backslashreplace")
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def _cost(call: Call | None) -> tuple[str, str]:
    """Model and credits of a call that was settled."""
    if call is None or call.entry is None or call.entry.usage is None:
        return _NOTHING, _NOTHING
    return call.entry.usage.model, f"{show(call.entry.amount)} credits"
