"""cdk-nag and cfn-lint have nothing to say, and would say it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.assembly import Assembly

WARNINGS = {"aws:cdk:warning", "aws:cdk:error"}


def test_cdk_nag_has_no_findings(assembly: Assembly) -> None:
    report = json.loads((assembly.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_cdk_nag_stops_a_synthesis_with_a_finding(tmp_path: Path) -> None:
    from aws_cdk import App, Stack
    from aws_cdk import aws_sqs as sqs

    from infra.app import add_checks

    app = App(outdir=str(tmp_path))
    add_checks(app)
    sqs.Queue(Stack(app, "careless"), "Queue")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert "AwsSolutions-SQS4" in (tmp_path / "validation-report.json").read_text()


def test_synthesis_raises_no_warnings(assembly: Assembly) -> None:
    for name in assembly.templates:
        metadata: dict[str, list[dict[str, Any]]] = json.loads((assembly.folder / f"{name}.metadata.json").read_text())
        said = [entry for entries in metadata.values() for entry in entries if entry["type"] in WARNINGS]
        assert said == []


def test_cfn_lint_has_no_findings(assembly: Assembly) -> None:
    templates = [str(assembly.folder / f"{name}.template.json") for name in assembly.templates]
    command = [
        str(Path(sys.executable).with_name("cfn-lint")),
        "--format",
        "json",
        "--regions",
        assembly.config.region,
        "--",
    ]
    done = subprocess.run([*command, *templates], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == []
    assert done.returncode == 0
