"""Ports of the loopback interface."""

import errno
import socket
from http.client import HTTPConnection, HTTPException

from local.errors import LocalStackError

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that was free just before."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return port_of(probe)


def bind(port: int) -> socket.socket:
    """A socket that does not listen yet; port 0 means any free one. Raises `LocalStackError` for a port in use."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise refused(port, error) from error
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that `listener` is bound to."""
    port: int = listener.getsockname()[1]
    return port


def refused(port: int, error: BaseException | None) -> LocalStackError:
    """What to say when `error` keeps us from listening on `port`."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return LocalStackError(f"Port {port} is already in use. Choose another, such as: make dev PORT={port + 123}")
    return LocalStackError(f"The stack can't listen on port {port}: {error}")


def answers(port: int, path: str = "/") -> int | None:
    """HTTP status of GET `path`, whatever proxies the environment names; None without an answer."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
