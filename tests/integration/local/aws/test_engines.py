"""DynamoDB Local as a child: it serves, keeps its data if configured, and ends with its parent."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.aws import engines
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables, dynamodb_client
from local.errors import EngineError
from local.paths import ROOT

OWNER = """
import sys, time
from pathlib import Path
from local.aws.engines import dynamodb_local
with dynamodb_local(Path(sys.argv[1])) as endpoint:
    print(endpoint, flush=True)
    time.sleep(600)
"""


def wait_until_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of `processes` that still run after a generous wait."""
    return psutil.wait_procs(processes, timeout=15)[1]


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that owns a DynamoDB Local; its first line is the endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "engine.log")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_data_outlive_the_engine(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    with dynamodb_local(tmp_path / "first.log", data) as endpoint:
        create_tables(StageTables(endpoint, "kept"))
        dynamodb_client(endpoint).put_item(TableName="callmissed-kept-wallets", Item={"id": {"S": "one"}})
    with dynamodb_local(tmp_path / "second.log", data) as endpoint:
        found = dynamodb_client(endpoint).scan(TableName="callmissed-kept-wallets")
    assert found["Items"] == [{"id": {"S": "one"}}]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_engine_dies_with_its_owner(owner: subprocess.Popen[str], how: signal.Signals) -> None:
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("http://127.0.0.1:")
    children = psutil.Process(owner.pid).children(recursive=True)
    assert any(child.name() == "java" for child in children)
    owner.send_signal(how)
    assert wait_until_gone(children) == []


def test_a_missing_jar_names_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ROOT", tmp_path)
    with pytest.raises(EngineError, match="make setup"), dynamodb_local(tmp_path / "log"):
        pass
