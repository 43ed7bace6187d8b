"""A name server that changes its answers: each answer is validated, and only a validated address is connected to.

127.0.0.2 stands for the public internet here and 127.0.0.1 for what must not be reached. A server listens on both, on
the same port, so that a connection that goes astray is seen.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from callmissed.http.addresses import is_public
from callmissed.http.client import AddressRefused, NotConnected, NotResolved, SafeClient, SendError, TimedOut
from tests.support.http.endpoint import OK, Behaviour, Endpoint, answering, once_then_hanging_up, serving
from tests.support.http.name_server import (
    CUT,
    FORGED,
    LATE,
    SILENT,
    NameServer,
    Reply,
    WireResolver,
    name_server,
    reply,
)
from tests.support.http.tls import NewServerContext

PUBLIC, PRIVATE = "127.0.0.2", "127.0.0.1"
NOBODY = "127.0.1."  # what begins like this is public, too, and has no server
WELL = answering(OK)
GOOD, BAD = reply(f"A {PUBLIC}"), reply(f"A {PRIVATE}")
ONCE = ["hooks.test AAAA", "hooks.test A"]
INSIDE = [
    "A 127.0.0.1",
    "A 10.0.0.1",
    "A 169.254.169.254",
    "AAAA ::1",
    "AAAA ::ffff:127.0.0.1",
    f"AAAA ::ffff:{PUBLIC}",
    "AAAA ::127.0.0.1",
    "AAAA 64:ff9b::127.0.0.1",
    "AAAA 64:ff9b:1::a00:1",
    "AAAA 2002:7f00:1::1",
    "AAAA fd00::1",
    "AAAA fd00:ec2::254",
    "AAAA fe80::1",
]
REFUSED = {
    "private after public": [reply(f"A {PUBLIC}", "A 127.0.0.1")],
    "private before public": [reply("A 127.0.0.1", f"A {PUBLIC}")],
    "an alias": [reply("CNAME metadata.test")],
    "a chain of aliases": [reply("CNAME first.test")],
    "the last of a hundred": [reply(*(f"A 203.1.1.{n}" for n in range(1, 100)), "A 10.0.0.1")],
    "a hundred of another family": [
        reply(f"A {PUBLIC}", *(f"AAAA 2606:4700::{n:x}" for n in range(1, 100)), "AAAA ::1")
    ],
    "behind the cut": [reply(f"A {PUBLIC}", how=CUT), reply(f"A {PUBLIC}", "A 127.0.0.1")],
}
ELSEWHERE = {
    "metadata.test": [reply("A 169.254.169.254")],
    "first.test": [reply("CNAME second.test")],
    "second.test": [reply("CNAME third.test")],
    "third.test": [reply("AAAA ::1")],
    "nowhere.test": [reply()],
}
NO_ANSWER = {
    "silence": reply(f"A {PUBLIC}", how=SILENT),
    "another's id": reply(f"A {PUBLIC}", how=FORGED),
    "no records": reply(),
    "an alias of nothing": reply("CNAME nowhere.test"),
    "an alias of itself": reply("CNAME hooks.test"),
}


def is_allowed_address(address: str) -> bool:
    return address == PUBLIC or address.startswith(NOBODY) or is_public(address)


@dataclass
class Network:
    """A name server, a server on the public address, one on the private address, and a client that asks and calls."""

    names: NameServer
    public: Endpoint
    private: Endpoint
    client: SafeClient

    async def send(self, name: str = "hooks.test", *, timeout_seconds: float = 10.0) -> int:
        """The status of the answer of `name`."""
        return (await self.client.send("GET", self.public.url(name), timeout_seconds=timeout_seconds)).status

    async def refused(self, *, timeout_seconds: float = 10.0) -> type[SendError]:
        """The kind of the error that keeps us from calling `hooks.test`."""
        with pytest.raises(SendError) as caught:
            await self.send(timeout_seconds=timeout_seconds)
        return type(caught.value)


NewNetwork = Callable[..., AbstractAsyncContextManager[Network]]


@pytest.fixture
def new_network(new_server_context: NewServerContext, trusting: ssl.SSLContext) -> NewNetwork:
    """Makes networks whose name server answers `hooks.test` with these replies."""

    @asynccontextmanager
    async def make(
        *replies: Reply,
        behaviour: Callable[[Endpoint], Behaviour] = WELL,
        patience_seconds: float = 60.0,
        **others: list[Reply],
    ) -> AsyncGenerator[Network]:
        tls = new_server_context("hooks.test", "slow.test")
        script = {"hooks.test": list(replies), **ELSEWHERE, **{f"{name}.test": it for name, it in others.items()}}
        async with (
            name_server(script) as names,
            serving(WELL, tls, PRIVATE) as private,
            serving(behaviour, tls, PUBLIC, private.port) as public,
        ):
            client = SafeClient(
                is_allowed=is_allowed_address, resolver=WireResolver(names, patience_seconds), tls=trusting
            )
            try:
                yield Network(names, public, private, client)
            finally:
                await client.close()
            assert private.connections == 0

    return make


async def test_the_validated_address_is_connected_to(new_network: NewNetwork, opened: list[int]) -> None:
    async with new_network(GOOD) as network:
        assert await network.send() == 200

        assert network.names.asked == ONCE
        assert (network.public.connections, network.public.names, len(opened)) == (1, ["hooks.test"], 1)


async def test_a_name_that_turns_right_after_the_look_up_gains_nothing(
    new_network: NewNetwork, opened: list[int]
) -> None:
    async with new_network(GOOD, BAD) as network:
        assert await network.send() == 200

        assert network.names.asked == ONCE, "no second look-up finds the second answer"
        assert (network.public.connections, len(opened)) == (1, 1)


async def test_a_name_that_turned_is_validated_anew_for_each_connection(
    new_network: NewNetwork, opened: list[int]
) -> None:
    closing = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    async with new_network(GOOD, GOOD, BAD, GOOD, behaviour=answering(closing)) as network:
        said = [await network.send(), await network.send(), await network.refused(), await network.send()]

        assert said == [200, 200, AddressRefused, 200]
        assert network.names.asked == ONCE * 4
        assert (network.public.connections, len(opened)) == (3, 3)


async def test_a_kept_connection_stays_at_its_validated_address(new_network: NewNetwork, opened: list[int]) -> None:
    async with new_network(GOOD, BAD) as network:
        assert [await network.send() for _ in range(3)] == [200] * 3

        assert network.names.asked == ONCE
        assert (len(network.public.requests), network.public.connections, len(opened)) == (3, 1, 1)


async def test_a_second_connection_beside_a_kept_one_is_validated_anew(
    new_network: NewNetwork, opened: list[int]
) -> None:
    async with new_network(GOOD, BAD, behaviour=hanging) as network:
        first = asyncio.create_task(network.send(timeout_seconds=60.0))
        await asyncio.wait_for(network.public.left.wait(), 10)

        assert await network.refused() is AddressRefused
        assert network.names.asked == ONCE * 2
        assert (network.public.connections, len(opened), first.done()) == (1, 1, False)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_the_repeat_after_a_kept_connection_ended_is_validated_anew(
    new_network: NewNetwork, opened: list[int]
) -> None:
    async with new_network(GOOD, BAD, behaviour=once_then_hanging_up) as network:
        assert await network.send() == 200

        assert await network.refused() is AddressRefused
        assert network.names.asked == ONCE * 2
        assert (network.public.connections, len(opened)) == (1, 1)


@pytest.mark.parametrize("inside", INSIDE)
async def test_a_public_address_excuses_no_other(new_network: NewNetwork, opened: list[int], inside: str) -> None:
    async with new_network(reply(f"A {PUBLIC}", "AAAA 2606:4700::1", inside)) as network:
        assert await network.refused() is AddressRefused
        assert (network.names.asked, network.public.connections, opened) == (ONCE, 0, [])


@pytest.mark.parametrize("case", REFUSED)
async def test_no_detour_leads_inside(new_network: NewNetwork, opened: list[int], case: str) -> None:
    async with new_network(*REFUSED[case]) as network:
        assert await network.refused() is AddressRefused
        assert (network.public.connections, opened) == (0, [])


async def test_an_alias_of_a_public_name_is_followed_and_verified_as_itself(new_network: NewNetwork) -> None:
    async with new_network(reply("CNAME edge.test"), edge=[GOOD]) as network:
        assert await network.send() == 200
        assert network.public.names == ["hooks.test"]


async def test_of_a_hundred_public_addresses_few_are_tried(new_network: NewNetwork, opened: list[int]) -> None:
    async with new_network(reply(*(f"A {NOBODY}{n}" for n in range(100)))) as network:
        assert await network.refused() is NotConnected
        assert (network.names.asked, network.public.connections) == (ONCE, 0)
        assert 8 <= len(opened) <= 8 * 9 / 2


@pytest.mark.parametrize("case", NO_ANSWER)
async def test_a_name_without_a_usable_answer_is_not_connected_to(
    new_network: NewNetwork, opened: list[int], case: str
) -> None:
    async with new_network(NO_ANSWER[case], patience_seconds=0.3) as network:
        assert await network.refused() is NotResolved
        assert (network.public.connections, opened) == (0, [])


async def test_the_deadline_includes_a_look_up_without_end(new_network: NewNetwork, opened: list[int]) -> None:
    async with new_network(reply(how=SILENT)) as network:
        assert await network.refused(timeout_seconds=0.3) is TimedOut
        assert (len(network.names.asked), opened) == (1, [])


async def test_others_are_sent_while_a_look_up_is_slow(new_network: NewNetwork) -> None:
    async with new_network(GOOD, slow=[reply(f"A {PUBLIC}", how=LATE)]) as network:
        slow = [asyncio.create_task(network.send("slow.test")) for _ in range(20)]
        await asyncio.wait_for(network.names.arrived.wait(), 10)

        assert await asyncio.gather(*(network.send() for _ in range(20))) == [200] * 20
        assert not any(task.done() for task in slow)
        network.names.release.set()
        assert await asyncio.gather(*slow) == [200] * 20


def hanging(endpoint: Endpoint) -> Behaviour:
    """Reads a request, and says nothing."""

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        endpoint.left.set()
        await reader.read()

    return behave
