"""Which stage a command works on."""

from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from callmissed.aws.secrets import pepper_ring, sealing_ring
from callmissed.platform.resources import PEPPERS, SEALING_KEYS
from cli.errors import CommandError
from cli.main import app
from cli.target import find_target
from local.state.folder import Announcement, LocalSecrets, StateFolder

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


def test_the_local_stack_is_found_by_its_folder(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.store_secrets(LocalSecrets(pepper="ab" * 32, sealing_key="cd" * 32))
    state.announce(ANNOUNCED)

    target = find_target(tmp_path, None, "eu-west-1")

    settings = target.settings
    assert (settings.stage, settings.dynamodb_endpoint) == ("local", "http://127.0.0.1:2")
    assert (settings.aws_endpoint, settings.queue_base) == ("http://127.0.0.1:3", "http://127.0.0.1:3/123456789012")
    assert pepper_ring(settings) == (bytes.fromhex("ab" * 32),)
    assert sealing_ring(settings) == (bytes.fromhex("cd" * 32),)
    assert target.tenant == "tnt_1"
    assert target.credentials is not None


def test_a_folder_from_which_nothing_runs_is_an_error(tmp_path: Path) -> None:
    StateFolder(tmp_path).store_secrets(LocalSecrets())

    with pytest.raises(CommandError, match="No stack runs from"):
        find_target(tmp_path, None, "eu-west-1")


def test_a_search_for_a_local_stack_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        find_target(tmp_path / "none", None, "eu-west-1")

    assert list(tmp_path.iterdir()) == []


def test_a_damaged_announcement_is_an_error(tmp_path: Path) -> None:
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
    assert pepper_ring(settings) == (bytes.fromhex("cd" * 32), bytes.fromhex("ab" * 32))
    assert sealing_ring(settings) == (bytes.fromhex("ef" * 32),)
    assert (target.tenant, target.credentials) == (None, None)


def test_a_change_of_a_deployed_stage_needs_a_reason() -> None:
    result = CliRunner().invoke(app, ["keys", "create", "--name", "x", "--tenant", "t", "--stage", "prod"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "callmissed: Say why with --reason: the tenant's audit log keeps it.\n"


@mock_aws
def test_a_stage_that_is_not_deployed_is_one_line() -> None:
    words = ["keys", "create", "--name", "x", "--tenant", "t", "--stage", "prod", "--reason", "new customer"]
    result = CliRunner().invoke(app, words)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "callmissed-prod-api" in result.stderr
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
