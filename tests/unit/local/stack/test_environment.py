"""The environment of the functions on the local stack."""

import os

import pytest

from local.aws.services import StageServices
from local.aws.tables import StageTables
from local.stack.environment import LocalEndpoints, clear_aws_environment, environment
from local.state.folder import LocalSecrets

NAME = "CALLMISSED_PUBLIC_URL"


@pytest.mark.parametrize("given", ["", "https://tunnel.example.com"])
def test_public_url_is_the_tunnels_or_the_stacks(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {NAME: given, "AWS_PROFILE": "prod", "CALLMISSED_STAGE": "prod"})
    tables, services = StageTables("http://127.0.0.1:1", "local"), StageServices("http://127.0.0.1:2", "local")
    endpoints = LocalEndpoints(tables, services, LocalSecrets(), "http://127.0.0.1:8000")

    clear_aws_environment()

    assert dict(os.environ) == {NAME: given}
    assert environment(endpoints)[NAME] == (given or "http://127.0.0.1:8000")
