"""Fixtures of the inference gateway's integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.inference.fixtures import *  # noqa: F403  pytest finds fixtures by their names here
from tests.support.inference.gateway import PEPPER, REGION, gateway_at_work, settings_for


@pytest.fixture
def second_pepper_url(store: StageTables, providers_file: Path) -> Iterator[str]:
    """A gateway in the midst of a pepper's rotation: the tests' pepper is the old one."""
    settings = settings_for(store, providers_file, (b"a new pepper of some length", PEPPER))
    with gateway_at_work(settings, dynamodb=DynamoDB(REGION, store.endpoint, timeout_seconds=20)) as gateway:
        yield gateway.url
