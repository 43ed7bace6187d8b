"""One synthesis for the session; tests look at its templates as plain data."""

import json

import pytest

from infra.config import StageConfig
from infra.constructs.bundling import ROOT
from tests.support.assembly import Assembly


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """All stacks of a stage, without real bundles. Synthesis itself fails on any finding of cdk-nag."""
    from aws_cdk import App  # importing CDK takes seconds, also where no test needs it

    from infra.app import build

    folder = tmp_path_factory.mktemp("cdk.out")
    config = StageConfig(stage="test", bundle=False, alarm_email="ops@example.com")
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(outdir=str(folder), context=context)
    stacks = build(app, config)
    app.synth()
    templates = {name: json.loads((folder / f"{name}.template.json").read_text()) for name in stacks}
    return Assembly(folder, config, templates)
