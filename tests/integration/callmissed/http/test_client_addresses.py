"""Where the client connects: only to validated addresses, whatever a URL or a name server says."""

import socket
import ssl

import pytest
from aiohttp import ThreadedResolver
from yarl import URL

from callmissed.http import client as module
from callmissed.http.client import AddressRefused, InvalidRequest, NotConnected, NotResolved, SafeClient, SendError
from tests.support.http.endpoint import OK, Names, answering, once_then_hanging_up, serving
from tests.support.http.tls import NewServerContext

HOSTILE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
SPELLINGS_OF_LOOPBACK = [
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "localhost",
    "localhost.",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "127\u30020\u30020\u30021",
    "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
    "%31%32%37.0.0.1",
    "%6cocalhost",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::1]",
    "0.0.0.0",
    "0",
]
PUBLIC = "93.184.215.14"


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the check of URLs let everything pass, so that the address itself has to be caught."""
    monkeypatch.setattr(module, "checked_url", lambda text, **_: URL(text))


async def refused(client: SafeClient, url: str) -> SendError:
    with pytest.raises(SendError) as caught:
        await client.send("GET", url, timeout_seconds=5)
    await client.close()
    return caught.value


@pytest.mark.parametrize("address", HOSTILE)
async def test_a_name_that_leads_inside_is_refused(opened: list[int], address: str) -> None:
    error = await refused(SafeClient(resolver=Names(hooks=[[address]])), "https://hooks.test/")

    assert (type(error), opened) == (AddressRefused, [])
    assert address not in str(error)


@pytest.mark.parametrize(
    "address", [address for address in HOSTILE if address not in ("127.0.0.1", "127.8.8.8", "::1")]
)
async def test_the_local_stack_is_led_nowhere_else(opened: list[int], address: str) -> None:
    client = SafeClient(resolver=Names(hooks=[[address]]), allow_loopback=True)
    error = await refused(client, "https://hooks.test/")

    assert (type(error), opened) == (AddressRefused, [])


@pytest.mark.parametrize("answers", [[PUBLIC, "127.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "2606:4700::1", "::1"]])
async def test_one_bad_address_refuses_them_all(opened: list[int], answers: list[str]) -> None:
    error = await refused(SafeClient(resolver=Names(hooks=[answers])), "https://hooks.test/")

    assert (type(error), opened) == (AddressRefused, [])


@pytest.mark.parametrize("address", HOSTILE)
async def test_a_literal_is_refused_by_the_check(opened: list[int], address: str) -> None:
    names = Names()
    host = f"[{address}]" if ":" in address else address
    error = await refused(SafeClient(resolver=names), f"https://{host}/")

    assert (type(error), opened, names.asked) == (InvalidRequest, [], [])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("address", [address for address in HOSTILE if "%" not in address])
async def test_a_literal_is_refused_once_more_at_its_socket(opened: list[int], address: str) -> None:
    names = Names()
    host = f"[{address}]" if ":" in address else address
    error = await refused(SafeClient(resolver=names), f"https://{host}/")

    assert (type(error), opened) == (AddressRefused, [])
    assert names.asked == [], "aiohttp sends no literal through the resolver"


@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK, ids=ascii)
async def test_no_spelling_of_loopback_passes_the_check(opened: list[int], host: str) -> None:
    async with serving(answering(OK)) as private:
        error = await refused(SafeClient(), private.url(host))

    assert (type(error), opened, private.connections) == (InvalidRequest, [], 0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", SPELLINGS_OF_LOOPBACK, ids=ascii)
async def test_no_spelling_of_loopback_is_connected_to(opened: list[int], host: str, scheme: str) -> None:
    async with serving(answering(OK)) as private:
        error = await refused(SafeClient(resolver=ThreadedResolver()), private.url(host, scheme=scheme))

    assert isinstance(error, AddressRefused | NotResolved | InvalidRequest)
    assert (opened, private.connections) == ([], 0)


async def test_a_name_that_turns_inside_between_calls_is_refused(
    trusting: ssl.SSLContext, tls: ssl.SSLContext, opened: list[int]
) -> None:
    names = Names(hooks=[["127.0.0.1"], ["127.0.0.2"]])
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names, tls=trusting)
    closing = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    async with serving(answering(closing), tls) as endpoint:
        assert (await client.send("GET", endpoint.url("hooks.test"))).status == 200
        error = await refused(client, endpoint.url("hooks.test"))

    assert (type(error), len(opened), endpoint.connections) == (AddressRefused, 1, 1)
    assert names.asked == ["hooks.test", "hooks.test"]


async def test_a_name_that_turns_inside_after_the_check_finds_no_second_look_up(
    trusting: ssl.SSLContext, tls: ssl.SSLContext
) -> None:
    names = Names(hooks=[["127.0.0.1"], ["127.0.0.2"]])
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names, tls=trusting)
    async with serving(answering(OK), tls) as endpoint:
        assert (await client.send("GET", endpoint.url("hooks.test"))).status == 200
        await client.close()

    assert names.asked == ["hooks.test"]


async def test_the_repeat_of_a_get_is_validated_anew(
    trusting: ssl.SSLContext, tls: ssl.SSLContext, opened: list[int]
) -> None:
    names = Names(hooks=[["127.0.0.1"], ["127.0.0.2"]])
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names, tls=trusting)
    async with serving(once_then_hanging_up, tls) as endpoint:
        assert (await client.send("GET", endpoint.url("hooks.test"))).status == 200
        error = await refused(client, endpoint.url("hooks.test"))

    assert (type(error), len(opened)) == (AddressRefused, 1)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_rule_that_changes_its_answer_is_still_obeyed(opened: list[int], count: int) -> None:
    asked: list[str] = []

    def only_at_the_look_up(address: str) -> bool:
        asked.append(address)
        return len(asked) <= count

    answers = ["10.0.0.1", "10.0.0.2"][:count]
    error = await refused(
        SafeClient(is_allowed=only_at_the_look_up, resolver=Names(hooks=[answers])), "https://hooks.test/"
    )

    assert isinstance(error, AddressRefused | NotConnected)
    assert opened == []


async def test_few_of_many_addresses_are_tried(opened: list[int]) -> None:
    names = Names(hooks=[["127.0.0.1"] * 1000])
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await refused(client, f"https://hooks.test:{taken.getsockname()[1]}/")

    assert type(error) is NotConnected
    assert len(opened) <= 8 * 9 / 2


async def test_a_kept_connection_stays_with_its_host_port_and_scheme(
    client: SafeClient, names: Names, new_server_context: NewServerContext, opened: list[int]
) -> None:
    names.answers["other"] = [["127.0.0.1"]]
    async with serving(answering(OK), new_server_context("hooks.test", "other.test")) as endpoint:
        for name in ("hooks.test", "hooks.test", "other.test", "hooks.test"):
            await client.send("GET", endpoint.url(name))

    assert (endpoint.names, len(opened), endpoint.connections) == (["hooks.test", "other.test"], 2, 2)


async def test_a_closed_client_begins_anew(client: SafeClient, names: Names, tls: ssl.SSLContext) -> None:
    async with serving(answering(OK), tls) as endpoint:
        await client.send("GET", endpoint.url("hooks.test"))
        await client.close()
        await client.close()
        await client.send("GET", endpoint.url("hooks.test"))
    assert (endpoint.connections, names.asked.count("hooks.test")) == (2, 2)


@pytest.mark.parametrize("names", [Names(), Names(hooks=[[]])], ids=["unknown", "empty"])
async def test_a_name_without_addresses_reads_like_a_refused_one(opened: list[int], names: Names) -> None:
    error = await refused(SafeClient(resolver=names), "https://hooks.test/")

    assert (type(error), opened) == (NotResolved, [])
    assert str(error) == str(AddressRefused())


@pytest.mark.parametrize(("host", "literal"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_local_stack_calls_itself(
    trusting: ssl.SSLContext, tls: ssl.SSLContext, host: str, literal: str, scheme: str
) -> None:
    client = SafeClient(allow_loopback=True, tls=trusting)
    async with serving(answering(OK), tls if scheme == "https" else None, host) as endpoint:
        assert (await client.send("GET", endpoint.url(literal, scheme=scheme))).status == 200
        await client.close()
        if scheme == "https":
            assert endpoint.names == [None], "an address is no server name"
    assert endpoint.connections == 1
    assert type(await refused(SafeClient(tls=trusting), endpoint.url(literal))) is InvalidRequest


async def test_plain_http_is_for_the_local_stack_itself(opened: list[int]) -> None:
    client = SafeClient(allow_loopback=True, resolver=Names(hooks=[["127.0.0.1"]]))
    assert type(await refused(client, "http://hooks.test/")) is InvalidRequest
    assert opened == []
