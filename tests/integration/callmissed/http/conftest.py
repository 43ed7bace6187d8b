"""A certificate authority that the client under test trusts, its certificates, and the client's sockets."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trustme

from callmissed.http import client as module
from callmissed.http.client import SafeClient
from tests.support.http.endpoint import Names
from tests.support.http.tls import NewServerContext


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The trust store of the client under test."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def new_server_context(authority: trustme.CA) -> NewServerContext:
    """Makes a server's TLS context with a certificate for `names`."""

    def make(*names: str, by: trustme.CA | None = None, **options: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (by or authority).issue_cert(*names, **options).configure_cert(context)
        return context

    return make


@pytest.fixture
def tls(new_server_context: NewServerContext) -> ssl.SSLContext:
    """TLS as `hooks.test` and as this machine."""
    return new_server_context("hooks.test", "127.0.0.1", "::1")


@pytest.fixture
def names() -> Names:
    return Names(hooks=[["127.0.0.1"]])


@pytest.fixture
async def client(names: Names, trusting: ssl.SSLContext) -> AsyncIterator[SafeClient]:
    """A client that may connect to 127.0.0.1 and to no other address."""
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names, tls=trusting)
    yield client
    await client.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Families of the sockets that the client made; without a socket nothing was sent."""
    made: list[int] = []
    make = module._open_socket

    def spy(family: int, kind: int, protocol: int) -> socket.socket:
        made.append(family)
        return make(family, kind, protocol)

    monkeypatch.setattr(module, "_open_socket", spy)
    yield made
