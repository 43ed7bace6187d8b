"""A bare HTTP server for the benchmark's fakes, which must cost next to nothing beside what is measured."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools

Answer = Callable[[bytes, bytes], "bytes | AsyncIterator[bytes]"]
"""From a request's path and body to its whole HTTP response, or to the pieces of one, each sent when it is yielded."""


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered one after the other."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = bytearray()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and send every piece the moment it is written."""
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; anything that is not HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending to a client that hung up."""
        if self._sending:
            self._sending.cancel()

    def on_url(self, url: bytes) -> None:
        """Begin a request."""
        self._path = url
        self._body.clear()

    def on_body(self, body: bytes) -> None:
        """Collect the request's body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer the request."""
        answer = self._answer(self._path, bytes(self._body))
        if isinstance(answer, bytes):
            self._transport.write(answer)
        else:
            self._sending = asyncio.get_running_loop().create_task(self._send(answer))

    async def _send(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            self._transport.write(piece)


def response(status: str, content_type: str, body: bytes) -> bytes:
    """A whole HTTP response with `body`; `status` is like `200 OK`."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(port: int, answer: Answer) -> None:
    """Serve on loopback until cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answer), "127.0.0.1", port)
    await server.serve_forever()
