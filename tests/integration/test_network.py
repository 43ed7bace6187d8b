"""The network of tests ends at loopback."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_tests_reach_no_network() -> None:
    with (
        pytest.warns(UserWarning, match="192.0.2.1"),
        pytest.raises(SocketConnectBlockedError),
        socket.socket() as outside,
    ):
        outside.connect(("192.0.2.1", 80))
