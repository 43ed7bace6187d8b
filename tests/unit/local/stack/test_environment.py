"""The environment of the functions on the local stack."""

import os

import pytest

from local.aws.services import StageServices
from local.aws.tables import StageTables
from local.stack.environment import LocalEndpoints, clear_aws_environment, environment
from local.stack.whatsapp import graph_setting
from local.state.folder import LocalSecrets

NAME = "CALLMISSED_PUBLIC_URL"
GRAPH = "CALLMISSED_GRAPH_URL"


@pytest.mark.parametrize("given", ["", "https://tunnel.example.com"])
def test_public_url_is_the_tunnels_or_the_stacks(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {NAME: given, "AWS_PROFILE": "prod", "CALLMISSED_STAGE": "prod"})
    tables, services = StageTables("http://127.0.0.1:1", "local"), StageServices("http://127.0.0.1:2", "local")
    endpoints = LocalEndpoints(tables, services, LocalSecrets(), "http://127.0.0.1:8000")

    clear_aws_environment()

    assert dict(os.environ) == {NAME: given}
    assert environment(endpoints)[NAME] == (given or "http://127.0.0.1:8000")


@pytest.mark.parametrize("given", ["", "https://graph.example.com/v24.0"])
def test_graph_is_the_stand_in_or_the_developers(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {GRAPH: given} if given else {})
    tables, services = StageTables("http://127.0.0.1:1", "local"), StageServices("http://127.0.0.1:2", "local")
    graph_url = graph_setting("http://127.0.0.1:3")
    endpoints = LocalEndpoints(tables, services, LocalSecrets(), "http://127.0.0.1:8000", graph_url=graph_url)

    clear_aws_environment()

    assert environment(endpoints)[GRAPH] == (given or graph_url)
    assert endpoints.graph_origin == "http://127.0.0.1:3"
    assert endpoints.phone_page == "http://127.0.0.1:3/_graph/phone/"
