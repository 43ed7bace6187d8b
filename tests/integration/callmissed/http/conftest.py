"""A certificate authority that the client under test trusts, what it issues, and a look at the client's sockets."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trustme

from callmissed.http import client as module
from callmissed.http.client import SafeClient
from tests.support.http.endpoint import Names

Certified = Callable[..., ssl.SSLContext]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What the client takes for the system's trust store."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def certified(authority: trustme.CA) -> Certified:
    """Makes a server's TLS context with a certificate for `names`."""

    def make(*names: str, by: trustme.CA | None = None, **options: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (by or authority).issue_cert(*names, **options).configure_cert(context)
        return context

    return make


@pytest.fixture
def tls(certified: Certified) -> ssl.SSLContext:
    """TLS as `hooks.test` and as this machine."""
    return certified("hooks.test", "127.0.0.1", "::1")


@pytest.fixture
def names() -> Names:
    return Names(hooks=[["127.0.0.1"]])


@pytest.fixture
async def client(names: Names, trusting: ssl.SSLContext) -> AsyncIterator[SafeClient]:
    """A client for which this machine's 127.0.0.1 is the public internet, and nothing else is."""
    client = SafeClient(is_allowed=lambda address: address == "127.0.0.1", resolver=names, tls=trusting)
    yield client
    await client.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Sockets that the client made: without one there is no packet."""
    made: list[int] = []
    make = module._open_socket

    def spy(family: int, kind: int, protocol: int) -> socket.socket:
        made.append(family)
        return make(family, kind, protocol)

    monkeypatch.setattr(module, "_open_socket", spy)
    yield made
