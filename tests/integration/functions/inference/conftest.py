"""Fixtures of the inference gateway's integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from callmissed.aws import dynamodb
from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.aws.dynamodb_proxy import DynamoProxy
from tests.support.inference.fixtures import *  # noqa: F403  pytest finds fixtures by their names here
from tests.support.inference.gateway import PEPPER, REGION, gateway_at_work, settings_for


@pytest.fixture
def second_pepper_url(store: StageTables, providers_file: Path) -> Iterator[str]:
    """A gateway in the midst of a pepper's rotation: the tests' pepper is the old one."""
    settings = settings_for(store, providers_file, (b"a new pepper of some length", PEPPER))
    with gateway_at_work(settings, dynamodb=DynamoDB(REGION, store.endpoint, timeout_seconds=20)) as gateway:
        yield gateway.url


@pytest.fixture(scope="module")
def shared_proxy(store: StageTables) -> Iterator[DynamoProxy]:
    """DynamoDB Local behind a proxy that plays its faults."""
    with DynamoProxy(store.endpoint).serving() as proxy:
        yield proxy


@pytest.fixture
def proxy(shared_proxy: DynamoProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoProxy]:
    """The same, without the faults of the test before. Retries come at once."""
    monkeypatch.setattr(dynamodb, "_BACKOFF_SECONDS", 0.0)
    shared_proxy.seen.clear()
    yield shared_proxy
    shared_proxy.release()
