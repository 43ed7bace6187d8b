"""The installed command as a process of its own, with nothing of this process's environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import CommandLine

COMMAND = Path(sys.executable).with_name("callmissed")


def _environment(home: Path) -> dict[str, str]:
    """No AWS credentials anywhere."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C.UTF-8"}


def _run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words], env=_environment(home), cwd=home, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def _running(home: Path, *words: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [COMMAND, *words],
        env=_environment(home),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_needs_no_credentials_for_the_local_stack(line: CommandLine, tmp_path: Path) -> None:
    done = _run(tmp_path, "keys", "create", "--name", "process", "--json", "--state", str(line.state))

    assert done.returncode == 0, done.stderr
    assert line.call(json.loads(done.stdout)["secret"]).key.mode == "live"


def test_an_error_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    done = _run(tmp_path, "credits", "balance")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("callmissed: No stack runs from '.callmissed'. Start one with 'callmissed dev'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("tenants", "list"), ("keys", "create", "--name", "x", "--tenant", "tnt_0")])
def test_a_deployed_stage_without_credentials_is_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = _run(tmp_path, *words, "--stage", "prod", "--region", "eu-west-1")

    assert (done.returncode, done.stdout) == (1, "")
    assert "credentials" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_tail_follows_calls_until_it_is_interrupted(line: CommandLine, tmp_path: Path) -> None:
    tenant = line.tenant()
    first = line.settle(tenant, "lab-chat", 10)
    words = ("usage", "tail", "--follow", "--interval", "0.2", "--json", "--tenant", tenant, "--state", str(line.state))

    with _running(tmp_path, *words) as tail:
        assert tail.stdout is not None
        shown = [json.loads(tail.stdout.readline())["id"]]
        second = line.settle(tenant, "lab-chat", 20)
        shown.append(json.loads(tail.stdout.readline())["id"])
        tail.send_signal(signal.SIGINT)
        output, errors = tail.communicate(timeout=30)

    assert shown == [f"gen_{first}", f"gen_{second}"]
    assert (tail.returncode, output, errors) == (130, "", "")
