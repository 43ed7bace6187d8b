"""A name server on loopback whose answers follow a script, and a resolver that asks it over the wire."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.rrset
from aiohttp.abc import AbstractResolver, ResolveResult

HOST = "127.0.0.1"
CUT, FORGED, LATE, SILENT = "cut", "forged", "late", "silent"


@dataclass(frozen=True)
class Reply:
    """`records` such as `A 127.0.0.1` with a TTL of 0. `how`: all well unless it is

    CUT        over UDP the first record and the flag that more of them come over TCP
    FORGED     the id of another question
    LATE       once `NameServer.release` is set
    SILENT     never
    """

    records: tuple[str, ...]
    how: str = ""


def reply(*records: str, how: str = "") -> Reply:
    return Reply(records, how)


class NameServer(asyncio.DatagramProtocol):
    """Each question for a name and type takes the next reply of the name, the last one stays; CNAMEs are followed."""

    def __init__(self, script: Mapping[str, list[Reply]]) -> None:
        self.script = script
        self.asked: list[str] = []
        self.port = 0
        self.arrived, self.release = asyncio.Event(), asyncio.Event()
        self._rounds: Counter[tuple[str, str]] = Counter()
        self._late: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        answer, how = self._answer(query)
        self.arrived.set()
        if how == LATE:
            task = asyncio.ensure_future(self._send_late(answer, addr))
            self._late.add(task)
        elif how != SILENT:
            self._transport.sendto(_mistreated(answer, how).to_wire(), addr)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question over TCP: https://www.rfc-editor.org/rfc/rfc7766#section-8"""
        query = dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        answer, _ = self._answer(query)
        writer.write(answer.to_wire(prepend_length=True))
        await writer.drain()
        writer.close()

    async def leave(self) -> None:
        """Answer nothing any more."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        self._transport.close()

    async def _send_late(self, answer: dns.message.Message, addr: tuple[str, int]) -> None:
        await self.release.wait()
        self._transport.sendto(answer.to_wire(), addr)

    def _answer(self, query: dns.message.Message) -> tuple[dns.message.Message, str]:
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}")
        count = self._rounds[name, kind]
        self._rounds[name, kind] += 1
        answer = dns.message.make_response(query)
        answer.answer = self._rrsets(name, kind, count)
        return answer, self._reply(name, count).how

    def _reply(self, name: str, count: int) -> Reply:
        replies = self.script.get(name, [reply()])
        return replies[min(count, len(replies) - 1)]

    def _rrsets(self, name: str, kind: str, count: int) -> list[dns.rrset.RRset]:
        records = [record.split() for record in self._reply(name, count).records]
        found = [text for type, text in records if type == kind]
        aliases = [text for type, text in records if type == "CNAME"]
        own = [dns.rrset.from_text(f"{name}.", 0, "IN", kind, *found)] if found else []
        for target in aliases:
            own += [dns.rrset.from_text(f"{name}.", 0, "IN", "CNAME", f"{target}.")]
            own += self._rrsets(target, kind, count)
        return own


def _mistreated(answer: dns.message.Message, how: str) -> dns.message.Message:
    if how == FORGED:
        answer.id ^= 1
    if how == CUT and answer.answer:
        first = answer.answer[0]
        answer.answer = [dns.rrset.from_rdata(first.name, 0, first[0])]
        answer.flags |= dns.flags.TC
    return answer


@asynccontextmanager
async def name_server(script: Mapping[str, list[Reply]]) -> AsyncGenerator[NameServer]:
    """Run a name server over UDP, and over TCP on the same port."""
    server = NameServer(script)
    streams = await asyncio.start_server(server.converse, HOST, 0)
    server.port = streams.sockets[0].getsockname()[1]
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, (HOST, server.port))
    try:
        yield server
    finally:
        await server.leave()
        streams.close()
        await streams.wait_closed()


class WireResolver(AbstractResolver):
    """Asks a name server for A and AAAA each time, keeps nothing, and gives up after `patience_seconds`."""

    def __init__(self, server: NameServer, patience_seconds: float = 60.0) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [dns.nameserver.Do53Nameserver(HOST, server.port)]
        self._resolver.lifetime = self._resolver.timeout = patience_seconds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            answers = await self._resolver.resolve_name(host, family)
        except dns.exception.DNSException as error:
            raise OSError(str(error)) from error
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for address, kind in answers.addresses_and_families()
        ]

    async def close(self) -> None:
        """Nothing to release."""
