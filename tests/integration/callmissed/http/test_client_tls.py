"""The certificate has to be valid, trusted, and for the name in the URL."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from callmissed.http.client import NotConnected, SafeClient, TlsFailed
from tests.support.http.endpoint import OK, Behaviour, Endpoint, Names, answering, serving
from tests.support.http.tls import NewServerContext


async def fails(client: SafeClient, tls: ssl.SSLContext | None) -> None:
    async with serving(answering(OK), tls) as endpoint:
        with pytest.raises(TlsFailed) as caught:
            await client.send("POST", endpoint.url("hooks.test"), body=b"{}")
    assert endpoint.requests == []
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("name", ["other.test", "127.0.0.1", "*.hooks.test", "hooks.test.evil.test"])
async def test_a_certificate_for_another_name_fails(
    client: SafeClient, new_server_context: NewServerContext, name: str
) -> None:
    await fails(client, new_server_context(name))


async def test_a_wildcard_for_the_name_passes(
    client: SafeClient, new_server_context: NewServerContext, names: Names
) -> None:
    names.answers["a"] = [["127.0.0.1"]]
    async with serving(answering(OK), new_server_context("*.hooks.test")) as endpoint:
        assert (await client.send("GET", endpoint.url("a.hooks.test"))).status == 200


async def test_a_certificate_of_an_unknown_authority_fails(
    client: SafeClient, new_server_context: NewServerContext
) -> None:
    await fails(client, new_server_context("hooks.test", by=trustme.CA()))


async def test_an_expired_certificate_fails(client: SafeClient, new_server_context: NewServerContext) -> None:
    await fails(client, new_server_context("hooks.test", not_after=datetime.now(UTC) - timedelta(days=1)))


async def test_a_certificate_of_the_future_fails(client: SafeClient, new_server_context: NewServerContext) -> None:
    await fails(client, new_server_context("hooks.test", not_before=datetime.now(UTC) + timedelta(days=1)))


async def test_a_plain_server_fails(client: SafeClient) -> None:
    def greets(_: Endpoint) -> Behaviour:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read()

        return behave

    async with serving(greets) as endpoint:
        with pytest.raises(TlsFailed):
            await client.send("GET", endpoint.url("hooks.test"))


async def test_old_tls_fails(client: SafeClient, new_server_context: NewServerContext) -> None:
    context = new_server_context("hooks.test")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(answering(OK), context) as endpoint:
        with pytest.raises((TlsFailed, NotConnected)):
            await client.send("GET", endpoint.url("hooks.test"))
    assert endpoint.requests == []


async def test_the_system_trust_store_is_the_default(names: Names, tls: ssl.SSLContext) -> None:
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names)
    await fails(client, tls)
    await client.close()
