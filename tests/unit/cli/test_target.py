"""Which stage a command works on."""

from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

import local.stack
from callmissed.platform.resources import PEPPERS, SEALING_KEYS
from cli.failures import CommandError
from cli.main import app
from cli.target import find_target
from local.state import Announcement, Secrets, State

ANNOUNCED = Announcement(
    base_url="http://127.0.0.1:1",
    live_key="cm_live_0",
    test_key="cm_test_0",
    tenant_id="tnt_1",
    endpoints={
        "dynamodb": "http://127.0.0.1:2",
        "aws": "http://127.0.0.1:3",
        "queues": "http://127.0.0.1:3/123456789012",
    },
)


def test_the_desk_is_found_by_its_folder(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.keep(Secrets(pepper="ab" * 32, sealing_key="cd" * 32))
    state.announce(ANNOUNCED)

    target = find_target(tmp_path, None, "eu-west-1")

    settings = target.settings
    assert (settings.stage, settings.dynamodb_endpoint) == ("local", "http://127.0.0.1:2")
    assert (settings.aws_endpoint, settings.queue_base) == ("http://127.0.0.1:3", "http://127.0.0.1:3/123456789012")
    assert settings.pepper_ring == (bytes.fromhex("ab" * 32),)
    assert settings.sealing_ring == (bytes.fromhex("cd" * 32),)
    assert target.tenant == "tnt_1"
    assert target.credentials is not None


def test_a_folder_from_which_nothing_runs_is_told(tmp_path: Path) -> None:
    State(tmp_path).keep(Secrets())

    with pytest.raises(CommandError, match="No stack runs from"):
        find_target(tmp_path, None, "eu-west-1")


def test_looking_for_a_desk_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        find_target(tmp_path / "none", None, "eu-west-1")

    assert list(tmp_path.iterdir()) == []


def test_a_damaged_announcement_is_told(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text("{")

    with pytest.raises(CommandError, match="can't be read"):
        find_target(tmp_path, None, "eu-west-1")


@mock_aws
def test_a_deployed_stage_is_found_by_its_name(tmp_path: Path) -> None:
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    client.create_secret(Name=PEPPERS.physical_name("prod"), SecretString="cd" * 32 + "," + "ab" * 32)
    client.create_secret(Name=SEALING_KEYS.physical_name("prod"), SecretString="ef" * 32)

    target = find_target(tmp_path, "prod", "eu-west-1")

    settings = target.settings
    assert (settings.stage, settings.region, settings.dynamodb_endpoint) == ("prod", "eu-west-1", None)
    assert settings.pepper_ring == (bytes.fromhex("cd" * 32), bytes.fromhex("ab" * 32))
    assert settings.sealing_ring == (bytes.fromhex("ef" * 32),)
    assert (target.tenant, target.credentials) == (None, None)


@mock_aws
def test_a_stage_without_peppers_is_one_line() -> None:
    result = CliRunner().invoke(app, ["keys", "create", "--name", "x", "--tenant", "t", "--stage", "prod"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Secrets Manager" in result.stderr
    assert result.stderr.count("\n") == 1


def test_on_a_deployed_stage_the_tenant_must_be_named() -> None:
    result = CliRunner().invoke(app, ["keys", "list", "--stage", "prod"])

    assert result.exit_code == 1
    assert result.stderr == "callmissed: Name the tenant with --tenant.\n"


def test_the_region_may_come_from_the_environment() -> None:
    variables = {
        "AWS_REGION": "",
        "AWS_DEFAULT_REGION": "sa-east-1",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
    }

    result = CliRunner(env=variables).invoke(app, ["tenants", "list", "--stage", "prod"])

    assert "DynamoDB in sa-east-1" in result.stderr


def test_dev_runs_the_stack_as_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs: list[tuple[int, Path, bool]] = []

    def run(port: int, state_dir: Path, reset: bool) -> None:
        runs.append((port, state_dir, reset))

    monkeypatch.setattr(local.stack, "run", run)

    for words in (["dev"], ["dev", "--port", "0", "--state", str(tmp_path), "--reset"]):
        assert CliRunner().invoke(app, words).exit_code == 0

    assert runs == [(8000, Path(".callmissed"), False), (0, tmp_path, True)]
