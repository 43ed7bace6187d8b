"""`callmissed versions prune` on functions of moto."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner, Result

from callmissed.clock import SECOND, Micros, system_clock
from callmissed.platform.functions import INFERENCE, LEDGER_SWEEP
from cli.function_versions import PrunedFunction, prune_function
from cli.main import app

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

STAGE = "test"
NAME = INFERENCE.physical_name(STAGE)
HOUR = 3600 * SECOND


@dataclass
class StageFunctions:
    """Functions of a stage, and a command line for it."""

    api: "LambdaClient"
    role: str

    def create(self, name: str = NAME, timeout: int = 900) -> None:
        self.api.create_function(
            FunctionName=name, Role=self.role, Runtime="python3.13", Handler="a.b", Timeout=timeout,
            Code={"ZipFile": zipped("0")},
        )  # fmt: skip

    def publish(self, count: int = 1, name: str = NAME) -> str:
        """Publish versions, as so many deployments do; returns the last one."""
        version = ""
        for _ in range(count):
            number = len(self.versions(name))
            self.api.update_function_code(FunctionName=name, ZipFile=zipped(str(number)))
            version = self.api.publish_version(FunctionName=name).get("Version", "")
        return version

    def versions(self, name: str = NAME) -> list[str]:
        return [
            version.get("Version", "") for version in self.api.list_versions_by_function(FunctionName=name)["Versions"]
        ]

    def go_live(self, version: str, name: str = NAME) -> None:
        self.alias("live", version, name)

    def alias(self, alias: str, version: str, name: str = NAME) -> None:
        self.api.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["versions", "prune", "--stage", STAGE, "--region", "ap-south-1", *words])


def zipped(text: str) -> bytes:
    """A zip file with one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.py", text)
    return buffer.getvalue()


@pytest.fixture
def functions() -> Iterator[StageFunctions]:
    with mock_aws():
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        yield StageFunctions(boto3.client("lambda", region_name="ap-south-1"), role)


def in_an_hour() -> Micros:
    return Micros(system_clock() + HOUR)


def test_versions_behind_no_alias_are_deleted(functions: StageFunctions) -> None:
    functions.create()
    functions.go_live(functions.publish(3))
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and pruned.row() == {"function": NAME, "live": "3", "deleted": ["2", "1"], "kept": []}
    assert functions.versions() == ["$LATEST", "3"]


def test_version_stays_while_calls_may_run_on_it(functions: StageFunctions) -> None:
    functions.create()
    functions.go_live(functions.publish(2))
    pruned = prune_function(functions.api, NAME, system_clock(), 0)
    assert pruned and (pruned.deleted, pruned.kept) == ([], ["1"])
    assert pruned.idle_at
    assert 900 * SECOND < pruned.idle_at - system_clock() <= 1200 * SECOND
    again = prune_function(functions.api, NAME, pruned.idle_at, 0)
    assert again and again.deleted == ["1"]


def test_version_of_a_quick_function_is_idle_sooner(functions: StageFunctions) -> None:
    name = LEDGER_SWEEP.physical_name(STAGE)
    functions.create(name, timeout=55)
    functions.go_live(functions.publish(2, name), name)
    pruned = prune_function(functions.api, name, Micros(system_clock() + 400 * SECOND), 0)
    assert pruned and pruned.deleted == ["1"]


def test_newest_versions_are_kept_on_request(functions: StageFunctions) -> None:
    functions.create()
    functions.go_live(functions.publish(4))
    pruned = prune_function(functions.api, NAME, in_an_hour(), 1)
    assert pruned and (pruned.deleted, pruned.kept, pruned.idle_at) == (["2", "1"], ["3"], None)


def test_version_newer_than_the_live_one_stays(functions: StageFunctions) -> None:
    """A deployment publishes it before the alias moves to it."""
    functions.create()
    functions.publish(3)
    functions.go_live("2")
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and (pruned.live, pruned.deleted, pruned.kept) == ("2", ["1"], ["3"])


def test_alias_of_the_operators_own_keeps_its_version_and_makes_none_live(functions: StageFunctions) -> None:
    """After a way back by hand, the version that the stack describes is newer than the live one."""
    functions.create()
    functions.publish(5)
    functions.go_live("2")
    functions.alias("trial", "4")
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and (pruned.live, pruned.deleted, pruned.kept) == ("2", ["1"], ["5", "3"])
    assert functions.versions() == ["$LATEST", "2", "3", "4", "5"]


def test_function_with_another_alias_only_keeps_everything(functions: StageFunctions) -> None:
    functions.create()
    functions.publish(2)
    functions.alias("trial", "2")
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and (pruned.live, pruned.deleted, pruned.kept) == ("", [], ["1"])


def test_versions_and_aliases_come_in_pages(functions: StageFunctions) -> None:
    """Lambda gives at most 50 at a time."""
    functions.create()
    last = functions.publish(60)
    for version in range(1, 56):
        functions.alias(f"trial-{version}", str(version))
    functions.go_live(last)
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and (pruned.live, pruned.deleted) == ("60", ["59", "58", "57", "56"])


def test_refusal_half_way_shows_what_was_done_before(
    functions: StageFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.create()
    functions.go_live(functions.publish(2))
    refusal = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}

    def pruned_once(api: "LambdaClient", name: str, now: Micros, keep: int) -> PrunedFunction | None:
        if name != NAME:
            raise ClientError(refusal, "ListVersionsByFunction")  # pyright: ignore[reportArgumentType]  all that we read
        return prune_function(api, name, Micros(now + HOUR), keep)

    monkeypatch.setattr("cli.commands.versions.prune_function", pruned_once)
    result = functions.run("--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [{"function": NAME, "live": "2", "deleted": ["1"], "kept": []}]
    assert "Rate exceeded" in result.stderr


def test_version_that_gets_a_share_of_the_calls_stays(functions: StageFunctions) -> None:
    functions.create()
    functions.publish(3)
    functions.go_live("3")
    functions.api.update_alias(FunctionName=NAME, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}})
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and (pruned.deleted, pruned.kept) == (["2"], [])


def test_function_without_an_alias_keeps_everything(functions: StageFunctions) -> None:
    functions.create()
    functions.publish(2)
    pruned = prune_function(functions.api, NAME, in_an_hour(), 0)
    assert pruned and (pruned.deleted, pruned.kept) == ([], ["2", "1"])


def test_command_shows_what_stays_and_until_when(functions: StageFunctions) -> None:
    functions.create()
    functions.go_live(functions.publish(2))
    result = functions.run("--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [{"function": NAME, "live": "2", "deleted": [], "kept": ["1"]}]
    assert "Prune again after" in result.stderr


def test_stage_without_functions_is_refused(functions: StageFunctions) -> None:
    result = functions.run()
    assert result.exit_code == 1
    assert "has no functions" in result.stderr
