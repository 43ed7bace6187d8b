"""An upstream on a bare socket that sends a recorded reply up to a byte, and goes."""

import asyncio
import gzip
import re
import socket
import struct
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from tests.support.threads import background_loop

Framing = Literal["chunked", "length", "close", "gzip"]
"""How the body's end is known: by chunks, by its length, by the connection's end, by compressed chunks."""

Ending = Literal["fin", "rst"]
"""How the connection ends: in order, or thrown away."""

_ASKED = re.compile(rb"cut (\w+) (\w+) (\w+) (-?\d+)")
_READ_SECONDS = 0.05
"""A reset drops what was not read: the reader has to come first."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a reply is cut: after so many bytes of its body as it is on the wire, -1 for all of them."""

    reply: str
    framing: Framing
    ending: Ending
    at: int

    @property
    def asked(self) -> str:
        """The words of a prompt that gets this cut."""
        return f"cut {self.reply} {self.framing} {self.ending} {self.at}"


def body_on_wire(events: Sequence[bytes], framing: Framing) -> bytes:
    """The body of a reply after its head."""
    match framing:
        case "chunked":
            return b"".join(map(_chunk, events)) + _chunk(b"")
        case "gzip":
            return _chunk(gzip.compress(b"".join(events), mtime=0)) + _chunk(b"")
        case _:
            return b"".join(events)


class CutUpstream:
    """The upstream. `replies` are bodies by name, as the pieces that are sent."""

    def __init__(self, replies: Mapping[str, Sequence[bytes]]) -> None:
        self.port = 0
        self._replies = replies
        self._serving: set[asyncio.Task[None]] = set()

    @contextmanager
    def serving(self) -> Generator["CutUpstream"]:
        """Serve on a free port of loopback until the block ends."""
        with background_loop() as run:
            server = run(asyncio.start_server(self._serve, "127.0.0.1", 0))
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                run(self._close(server))

    async def _close(self, server: asyncio.Server) -> None:
        """Close the server on its own loop, once all connections are closed."""
        server.close()
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] = asyncio.current_task()  # pyright: ignore[reportAssignmentType]
        self._serving.add(task)
        try:
            await self._reply(reader, writer)
            with suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            self._serving.discard(task)

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        found = _ASKED.search(body)
        assert found
        name, framing, ending, at = (each.decode() for each in found.groups())
        await self._answer(writer, Cut(name, framing, ending, int(at)))  # pyright: ignore[reportArgumentType]

    async def _answer(self, writer: asyncio.StreamWriter, cut: Cut) -> None:
        events = self._replies[cut.reply]
        wire = body_on_wire(events, cut.framing)
        writer.write(_head(cut.framing, len(wire)) + (wire if cut.at < 0 else wire[: cut.at]))
        await writer.drain()
        if cut.ending == "rst":
            await asyncio.sleep(_READ_SECONDS)
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _head(framing: Framing, length: int) -> bytes:
    ends = {
        "chunked": "Transfer-Encoding: chunked",
        "gzip": "Transfer-Encoding: chunked\r\nContent-Encoding: gzip",
        "length": f"Content-Length: {length}",
        "close": "Connection: close",
    }
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{ends[framing]}\r\n\r\n".encode()
