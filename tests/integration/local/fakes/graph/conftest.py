"""A stand-in for Graph that serves, with a receiver of its callbacks."""

from collections.abc import Iterator

import pytest

from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import GraphOptions
from tests.support.graph.client import Business
from tests.support.graph.receiver import CallbackReceiver, receiving

QUICK = GraphOptions(retry_seconds=(0.01,), hold_seconds=0.05)


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def graph(receiver: CallbackReceiver) -> Iterator[FakeGraph]:
    with FakeGraph(callback_url=receiver.url, options=QUICK).serving() as graph:
        yield graph


@pytest.fixture
def business(graph: FakeGraph) -> Business:
    return Business(graph)
