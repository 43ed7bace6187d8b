"""boto3's clients: made one at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from callmissed.aws.clients import client
from callmissed.settings import CoreSettings


def test_two_threads_never_make_clients_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)
    met: list[bool] = []

    def make(*_names: str, **_more: Any) -> None:
        try:
            both.wait(0.2)
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)

    monkeypatch.setattr(boto3, "client", make)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: client("s3", CoreSettings()), range(2)))

    assert met == [False, False]
