"""One synthesis for the session; tests look at its templates as plain data."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from callmissed.platform.routes import ROUTES, Route
from infra.bundling.assets import ROOT
from infra.config import StageConfig
from tests.support.assembly import Assembly
from tests.support.route_tables import LARGE_TABLE


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """All stacks of a stage, without real bundles. Synthesis itself fails on any finding of cdk-nag."""
    return synthesised(tmp_path_factory.mktemp("cdk.out"), ROUTES)


@pytest.fixture(scope="session")
def large_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The same with 260 routes."""
    return synthesised(tmp_path_factory.mktemp("cdk-large.out"), LARGE_TABLE)


def synthesised(folder: Path, routes: Sequence[Route]) -> Assembly:
    """What a synthesis of `routes` writes into `folder`."""
    from aws_cdk import App  # importing CDK takes seconds, also where no test needs it

    from infra.app import build

    config = StageConfig(stage="test", bundle=False, alarm_email="ops@example.com")
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(outdir=str(folder), context=context)
    stacks = build(app, config, routes)
    app.synth()
    templates = {name: json.loads((folder / f"{name}.template.json").read_text()) for name in stacks}
    return Assembly(folder, config, templates)
