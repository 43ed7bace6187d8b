"""A server at the other end, well or hostile, and the names that lead to it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp.abc import AbstractResolver, ResolveResult

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Endpoint:
    """What a server saw: `connections` made, `requests` by their heads and bodies, `names` asked for in TLS."""

    host: str
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    names: list[str | None] = field(default_factory=list[str | None])
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, name: str, path: str = "/", scheme: str = "https") -> str:
        """A URL of this server under `name`."""
        return f"{scheme}://{name}:{self.port}{path}"

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """The next request on a connection; its end raises IncompleteReadError."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request


@asynccontextmanager
async def serving(
    behaviour: Callable[[Endpoint], Behaviour],
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncGenerator[Endpoint]:
    """Run a server that treats every connection by `behaviour`."""
    endpoint = Endpoint(host)
    behave, tasks = behaviour(endpoint), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        endpoint.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await behave(reader, writer)
        endpoint.left.set()
        writer.transport.abort()

    def named(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        endpoint.names.append(name)

    if tls:
        tls.sni_callback = named
    server = await asyncio.start_server(connected, host, port, ssl=tls)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def answering(*answers: bytes) -> Callable[[Endpoint], Behaviour]:
    """Each request of a connection gets the next answer, then the last one forever."""

    def behaviour(endpoint: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            remaining = list(answers)
            while True:
                await endpoint.request(reader)
                writer.write(remaining.pop(0) if len(remaining) > 1 else remaining[0])
                await writer.drain()

        return behave

    return behaviour


def saying(
    start: bytes, again: bytes = b"", *, seconds: float = 0.0, hang: bool = False
) -> Callable[[Endpoint], Behaviour]:
    """After a request `start`, then `again` and again without end; or hang; or hang up."""

    def behaviour(endpoint: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await endpoint.request(reader)
            writer.write(start)
            await writer.drain()
            while again:
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(seconds)
            if hang:
                await reader.read()

        return behave

    return behaviour


def once_then_hanging_up(endpoint: Endpoint) -> Behaviour:
    """Answers the first request of a connection, reads the second, and ends."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        await endpoint.request(reader)

    return behave


class Names(AbstractResolver):
    """A name server whose answers change: each look-up of a name takes its next answer, the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.answers.get(host.partition(".")[0])
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ResolveResult(hostname=host, host=it, port=port, family=family, proto=0, flags=0) for it in addresses]

    async def close(self) -> None:
        """Nothing to release."""
