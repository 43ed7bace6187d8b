"""The line of a call in the terminal."""

import io

import pytest
from rich.console import Console
from starlette.types import Message, Receive, Scope, Send

from local.server.call_log import CallLog

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/a b",
    "raw_path": b"/a%20b\x1b[31m\xff",
    "query_string": b"token=hush",
}


async def nothing() -> Message:
    raise AssertionError("the app reads no body")


async def served(app: CallLog) -> None:
    async def send(_message: Message) -> None:
        return None

    await app(dict(SCOPE), nothing, send)


async def not_found(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"x-request-id", b"req_1")]})
    await send({"type": "http.response.body", "body": b""})


async def breaks(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ConnectionAbortedError


def output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
async def test_colour_is_for_terminals_only(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=40, _environ={"TERM": "xterm"})

    await served(CallLog(not_found, console))

    assert ("\x1b[33m404" in output(console)) is terminal
    assert output(console).count("\n") == 1
    assert "hush" not in output(console)


async def test_a_call_without_a_response_is_a_line_too() -> None:
    console = Console(file=io.StringIO())
    seconds = iter([1.0, 1.25])

    with pytest.raises(ConnectionAbortedError):
        await served(CallLog(breaks, console, lambda: next(seconds)))

    assert output(console).split()[1:3] == ["GET", r"/a%20b\x1b[31m\xff"]
    assert output(console).endswith("  -  250 ms  -  -  -\n")
