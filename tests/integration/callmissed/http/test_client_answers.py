"""What the client makes of answers: kept short, within bounds, by the deadline, and never obeyed."""

import asyncio
import gzip
import socket
import ssl
from pathlib import Path

import pytest
from aiohttp.abc import ResolveResult

from callmissed.http.client import (
    Answer,
    AnswerGarbled,
    HungUp,
    InvalidRequest,
    NotConnected,
    SafeClient,
    TimedOut,
)
from tests.support.http.endpoint import (
    OK,
    Behaviour,
    Endpoint,
    Names,
    answering,
    once_then_hanging_up,
    saying,
    serving,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

GARBAGE = [
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"220 mail ready\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 99999 OK\r\n\r\n",
    b"\x00\x01\x02\x03\r\n\r\n",
    b"<html></html>\r\n\r\n",
    HEAD + b"no colon\r\n\r\n",
    HEAD + b"Content-Length: -1\r\n\r\n",
    HEAD + b"Content-Length: x\r\n\r\n",
    HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    CHUNKED + b"zz\r\n",
    CHUNKED + b"-1\r\n",
]
TOO_LARGE = [
    HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    HEAD + b"a" * 9000 + b": x\r\n\r\n",
    HEAD + b"X: y\r\n" * 200 + b"\r\n",
    HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
    b"HTTP/1.1 200 " + b"a" * 9000 + b"\r\n\r\n",
]
ENDLESS_HEADS = [(HEAD, b"X: y\r\n"), (HEAD + b"X: ", b"a" * 100), (b"HTTP/1.1 200 ", b"a" * 100)]
NEVER_DONE = [
    (b"", b""),
    (HEAD, b""),
    (b"", b"\r\n"),
    (HEAD + b"Content-Length: 5\r\n\r\n", b""),
    (HEAD + b"\r\n", b"a"),
    (CHUNKED, b"1\r\na\r\n"),
    (CHUNKED + b"1", b";"),
    (CHUNKED + b"0\r\nX: ", b"y"),
    (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
]
CUT = [
    HEAD + b"Content-Length: 5\r\n\r\nabc",
    CHUNKED + b"5\r\nabc",
    CHUNKED + b"3\r\nabc\r\n",
]


async def get(client: SafeClient, endpoint: Endpoint, seconds: float = 5) -> Answer:
    return await client.send("GET", endpoint.url("hooks.test"), timeout_seconds=seconds)


async def test_a_request_arrives_as_it_was_given(client: SafeClient, tls: ssl.SSLContext) -> None:
    async with serving(
        answering(b"HTTP/1.1 201 Created\r\nX-Seen: yes\r\nContent-Length: 2\r\n\r\nok"), tls
    ) as endpoint:
        answer = await client.send(
            "POST",
            endpoint.url("hooks.test", "/a/../b%2fc?d=%2F+%20&e=[1]"),
            headers={"webhook-id": "msg_1"},
            body=b"{}",
        )

    assert (answer.status, answer.body, answer.truncated, answer.headers["x-seen"]) == (201, b"ok", False, "yes")
    assert answer.latency_ms >= 0
    head, _, body = endpoint.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0], body) == (b"POST /a/../b%2fc?d=%2F+%20&e=[1] HTTP/1.1", b"{}")
    assert sorted(lines[1:]) == sorted(
        [
            b"Host: hooks.test:%d" % endpoint.port,
            b"Accept-Encoding: identity",
            b"Content-Length: 2",
            b"webhook-id: msg_1",
        ]
    )
    assert endpoint.names == ["hooks.test"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer(client: SafeClient, tls: ssl.SSLContext, names: Names, status: int) -> None:
    async with serving(answering(OK)) as private:
        location = private.url("127.0.0.1", scheme="http").encode()
        redirect = b"HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
        async with serving(answering(redirect), tls) as endpoint:
            answer = await client.send("POST", endpoint.url("hooks.test"), body=b"{}")

    assert (answer.status, answer.headers["Location"]) == (status, location.decode())
    assert (private.connections, endpoint.connections, names.asked) == (0, 1, ["hooks.test"])


@pytest.mark.parametrize("status", [204, 304, 400, 410, 429, 500, 503, 599])
async def test_every_status_is_an_answer(client: SafeClient, tls: ssl.SSLContext, status: int) -> None:
    async with serving(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status), tls) as endpoint:
        answer = await client.send("POST", endpoint.url("hooks.test"), body=b"{}")
    assert (answer.status, answer.body) == (status, b"")


async def test_an_offer_to_switch_protocols_is_not_taken(client: SafeClient, tls: ssl.SSLContext) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    async with serving(saying(head, b"x" * 1000), tls) as endpoint:
        answer = await get(client, endpoint)
        await endpoint.left.wait()
    assert (answer.status, answer.body) == (101, b"")


@pytest.mark.parametrize("size", [0, 1, 99, 100])
async def test_a_body_within_the_bound_is_whole(client: SafeClient, tls: ssl.SSLContext, size: int) -> None:
    async with serving(answering(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"a" * size), tls) as endpoint:
        answer = await client.send("GET", endpoint.url("hooks.test"), max_bytes=100)
    assert (answer.body, answer.truncated) == (b"a" * size, False)


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD + b"Content-Length: 9999999999\r\n\r\n"])
async def test_an_endless_body_ends_at_the_bound(client: SafeClient, tls: ssl.SSLContext, head: bytes) -> None:
    async with serving(saying(head, b"a" * 10_000), tls) as endpoint:
        answer = await client.send("GET", endpoint.url("hooks.test"), max_bytes=20_480)
        await endpoint.left.wait()
    assert (answer.status, answer.body, answer.truncated) == (200, b"a" * 20_480, True)


async def test_endless_chunks_end_at_the_bound(client: SafeClient, tls: ssl.SSLContext) -> None:
    async with serving(saying(CHUNKED, b"1\r\na\r\n" * 1000), tls) as endpoint:
        answer = await client.send("GET", endpoint.url("hooks.test"), max_bytes=5)
        await endpoint.left.wait()
    assert (answer.body, answer.truncated) == (b"aaaaa", True)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"made-up"])
async def test_nothing_is_unpacked(client: SafeClient, tls: ssl.SSLContext, encoding: bytes) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(bomb))
    async with serving(answering(HEAD + head + bomb), tls) as endpoint:
        answer = await client.send("GET", endpoint.url("hooks.test"))
    assert (answer.body, answer.truncated) == (bomb[:20_480], len(bomb) > 20_480)


@pytest.mark.parametrize("answer", GARBAGE, ids=ascii)
async def test_garbage_is_no_answer(client: SafeClient, tls: ssl.SSLContext, answer: bytes) -> None:
    async with serving(saying(answer, hang=True), tls) as endpoint:
        with pytest.raises(AnswerGarbled):
            await get(client, endpoint)
        await endpoint.left.wait()


@pytest.mark.parametrize("answer", TOO_LARGE, ids=lambda answer: ascii(answer[:24]))
async def test_headers_have_bounds(client: SafeClient, tls: ssl.SSLContext, answer: bytes) -> None:
    async with serving(saying(answer, hang=True), tls) as endpoint:
        with pytest.raises(AnswerGarbled):
            await get(client, endpoint)
        await endpoint.left.wait()


@pytest.mark.parametrize(("start", "again"), ENDLESS_HEADS, ids=ascii)
async def test_endless_headers_end_at_their_bounds(
    client: SafeClient, tls: ssl.SSLContext, start: bytes, again: bytes
) -> None:
    async with serving(saying(start, again * 100), tls) as endpoint:
        with pytest.raises(AnswerGarbled):
            await get(client, endpoint)
        await endpoint.left.wait()


async def test_endless_trailers_end_too(client: SafeClient, tls: ssl.SSLContext) -> None:
    async with serving(saying(CHUNKED + b"0\r\n", b"X: y\r\n" * 100), tls) as endpoint:
        with pytest.raises(AnswerGarbled):
            await get(client, endpoint)
        await endpoint.left.wait()


@pytest.mark.parametrize(("start", "again"), NEVER_DONE, ids=ascii)
async def test_the_deadline_ends_what_does_not(
    client: SafeClient, tls: ssl.SSLContext, start: bytes, again: bytes
) -> None:
    async with serving(saying(start, again, seconds=0.01, hang=True), tls) as endpoint:
        with pytest.raises(TimedOut):
            await get(client, endpoint, seconds=0.3)
        await endpoint.left.wait()


async def test_the_deadline_covers_the_handshake(client: SafeClient) -> None:
    def mute(_: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(100):
                pass

        return behave

    async with serving(mute) as endpoint:
        with pytest.raises(TimedOut):
            await get(client, endpoint, seconds=0.2)
        await endpoint.left.wait()


async def test_connection_that_is_not_made_in_time_sends_nothing(trusting: ssl.SSLContext) -> None:
    class Slow(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            await asyncio.Event().wait()
            return []

    client = SafeClient(resolver=Slow(), tls=trusting)
    with pytest.raises(NotConnected):
        await client.send("POST", "https://hooks.test/", timeout_seconds=30, connect_seconds=0.1)
    await client.close()


async def test_the_deadline_covers_a_server_that_never_reads(client: SafeClient, tls: ssl.SSLContext) -> None:
    def deaf(endpoint: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await endpoint.left.wait()

        return behave

    async with serving(deaf, tls) as endpoint:
        with pytest.raises(TimedOut):
            await client.send("POST", endpoint.url("hooks.test"), body=b"a" * 900_000, timeout_seconds=0.3)


async def test_the_deadline_covers_a_look_up(trusting: ssl.SSLContext) -> None:
    class Slow(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            await asyncio.Event().wait()
            return []

    client = SafeClient(resolver=Slow(), tls=trusting)
    with pytest.raises(TimedOut):
        await client.send("GET", "https://hooks.test/", timeout_seconds=0.05)
    await client.close()


@pytest.mark.parametrize("answer", CUT, ids=ascii)
async def test_a_body_that_breaks_off_is_no_answer(client: SafeClient, tls: ssl.SSLContext, answer: bytes) -> None:
    async with serving(saying(answer), tls) as endpoint:
        with pytest.raises(AnswerGarbled):
            await get(client, endpoint)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", HEAD + b"X: y\r\n"], ids=ascii)
async def test_an_end_before_the_answer_is_a_hang_up(client: SafeClient, tls: ssl.SSLContext, answer: bytes) -> None:
    async with serving(saying(answer), tls) as endpoint:
        with pytest.raises(HungUp):
            await client.send("POST", endpoint.url("hooks.test"), body=b"{}")
    assert len(endpoint.requests) == 1, "a request that may have been seen is not repeated"


async def test_a_closed_port_is_not_connected(client: SafeClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NotConnected):
            await client.send("GET", f"https://hooks.test:{taken.getsockname()[1]}/")


async def test_a_hang_up_in_the_handshake_is_no_connection(client: SafeClient) -> None:
    def rude(_: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)

        return behave

    async with serving(rude) as endpoint:
        with pytest.raises(NotConnected):
            await get(client, endpoint)


async def test_no_cookie_is_kept(client: SafeClient, tls: ssl.SSLContext) -> None:
    answer = HEAD + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer), tls) as endpoint:
        for _ in range(2):
            await get(client, endpoint)
    assert len(endpoint.requests) == 2
    assert not any(b"cookie" in request.lower() for request in endpoint.requests)


async def test_no_proxy_or_netrc_is_read(
    client: SafeClient, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine hooks.test login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with serving(answering(OK)) as proxy, serving(answering(OK), tls) as endpoint:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(variable, proxy.url("127.0.0.1", scheme="http"))
        await get(client, endpoint)
    assert (proxy.connections, endpoint.connections) == (0, 1)
    assert b"authorization" not in endpoint.requests[0].lower()


BAD_HEADERS = [
    {"X": "a\r\nHost: evil"},
    {"X": "a\nb"},
    {"X": "a\rb"},
    {"X": "a\0"},
    {"X": "é"},
    {"X\r\nY": "a"},
    {"X Y": "a"},
    {"X:": "a"},
    {"": "a"},
    {"Ü": "a"},
    {"Host": "evil.test"},
    {"content-length": "0"},
    {"Transfer-Encoding": "chunked"},
    {"Connection": "Upgrade"},
    {"Upgrade": "h2c"},
    {"Expect": "100-continue"},
    {"Accept-Encoding": "gzip"},
    {"Proxy-Authorization": "x"},
]


@pytest.mark.parametrize("headers", BAD_HEADERS, ids=ascii)
async def test_a_header_that_frames_or_breaks_the_message_is_never_sent(
    client: SafeClient, tls: ssl.SSLContext, headers: dict[str, str]
) -> None:
    async with serving(answering(OK), tls) as endpoint:
        with pytest.raises(InvalidRequest):
            await client.send("POST", endpoint.url("hooks.test"), headers=headers, body=b"{}")
    assert endpoint.connections == 0


@pytest.mark.parametrize("method", ["", "get", "CONNECT", "TRACE", "GET ", "GET / HTTP/1.1\r\nX:", "PRI"], ids=ascii)
async def test_an_unknown_method_is_never_sent(client: SafeClient, method: str) -> None:
    with pytest.raises(InvalidRequest):
        await client.send(method, "https://hooks.test/")


async def test_what_follows_an_answer_is_not_the_next_answer(client: SafeClient, tls: ssl.SSLContext) -> None:
    async with serving(answering(OK + OK.replace(b"ok", b"no")), tls) as endpoint:
        bodies = [(await client.send("GET", endpoint.url("hooks.test"))).body for _ in range(3)]
    assert bodies == [b"ok"] * 3
    assert endpoint.connections == 3


async def test_a_kept_connection_that_ended_is_made_anew_for_a_get(client: SafeClient, tls: ssl.SSLContext) -> None:
    async with serving(once_then_hanging_up, tls) as endpoint:
        assert (await get(client, endpoint)).status == 200
        assert (await get(client, endpoint)).status == 200
    assert (endpoint.connections, len(endpoint.requests)) == (2, 3)


async def test_a_post_that_met_the_end_of_a_kept_connection_is_not_repeated(
    client: SafeClient, tls: ssl.SSLContext
) -> None:
    async with serving(once_then_hanging_up, tls) as endpoint:
        assert (await get(client, endpoint)).status == 200
        with pytest.raises(HungUp):
            await client.send("POST", endpoint.url("hooks.test"), body=b"{}")
    assert (endpoint.connections, len(endpoint.requests)) == (1, 2)
