"""`callmissed doctor`: its lines and its exit code."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from cli.main import app
from tests.support.deployed_stage import DeployedStage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeployedStage]:
    with mock_aws():
        stage = DeployedStage()
        monkeypatch.setattr("cli.checks.stage.connect", lambda _region: stage.client)
        yield stage


def doctor(*words: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--stage", "prod", "--region", "ap-south-1", *words])


@pytest.mark.usefixtures("stage")
def test_stage_in_order_exits_with_0() -> None:
    result = doctor()
    assert (result.exit_code, result.stderr) == (0, "")
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}


def test_what_blocks_exits_with_1_and_says_how_to_mend_it(stage: DeployedStage) -> None:
    stage.functions.concurrency = stage.functions.unreserved = 10
    result = doctor()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("blocks  concurrency: 10 concurrent executions")
    assert lines[1].strip().startswith("aws service-quotas request-service-quota-increase ")


def test_advice_alone_exits_with_0(stage: DeployedStage) -> None:
    stage.real("sns").delete_topic(TopicArn=stage.topic)
    result = doctor()
    assert result.exit_code == 0
    assert "advice  alarms: there is no topic for them" in result.stdout


def test_scripts_read_json(stage: DeployedStage) -> None:
    stage.functions.functions.clear()
    result = doctor("--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert {row["status"] for row in rows} == {"ok", "blocks"}
    assert all(row.keys() == {"subject", "status", "finding", "remedy"} for row in rows)


@pytest.mark.usefixtures("stage")
def test_failure_of_aws_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_region: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr("cli.checks.stage.connect", fail)
    result = doctor()
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "callmissed: no network\n")
