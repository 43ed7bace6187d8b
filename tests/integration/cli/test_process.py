"""The installed command as a process of its own, with nothing of this process's environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from cli.groups import COMMANDS, HELP, module_of
from cli.main import app
from local.paths import ROOT
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


HEAVY = {"aiohttp", "boto3", "botocore", "callmissed.aws", "fastapi", "functions", "local", "openai", "pydantic"}


OF_GROUPS = [[group, *words] for group in HELP for words in ([], ["-h"], ["--help"])]


@pytest.mark.parametrize(
    "words",
    [["--help"], ["-h"], [], ["--version"], ["dev", "--help"], ["doctor", "-h"], ["nonsense"], *OF_GROUPS],
    ids=str,
)
def test_help_imports_nothing_that_takes_long(tmp_path: Path, words: list[str]) -> None:
    program = (
        "import json, sys\n"
        "from cli.main import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(
        command, env=_environment(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == (2 if words == ["nonsense"] else 0), done.stderr
    of_typer = (
        {"pydantic"} if {*words} & {"dev", "doctor", "nonsense", *HELP} else set[str]()
    )  # it converts options with it
    assert HEAVY & set(json.loads(done.stderr.splitlines()[-1])) <= of_typer


@pytest.mark.parametrize("name", HELP)
def test_help_of_a_group_has_the_commands_of_its_module(name: str) -> None:
    group = get_group(getattr(import_module(module_of(name)), name))

    commands = {command: described.get_short_help_str(1000) for command, described in group.commands.items()}

    assert list(commands.items()) == list(COMMANDS[name].items())


@pytest.mark.parametrize("group", ["", *HELP, "integrations set"])
def test_a_command_of_nothing_but_a_group_shows_its_help(group: str) -> None:
    bare, asked, short = [CliRunner().invoke(app, [*group.split(), *more]) for more in ([], ["--help"], ["-h"])]

    assert (bare.exit_code, asked.exit_code, short.exit_code) == (0, 0, 0)
    assert bare.stdout == asked.stdout == short.stdout
    assert "Usage: callmissed" in bare.stdout
    assert HELP.get(group, "") in " ".join(bare.stdout.split())


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert _run(tmp_path, "--version").stdout == f"callmissed {version('callmissed')}\n"


def test_the_command_needs_no_credentials_for_the_local_stack(line: CommandLine, tmp_path: Path) -> None:
    done = _run(tmp_path, "keys", "create", "--name", "process", "--json", "--state", str(line.state))

    assert done.returncode == 0, done.stderr
    assert line.call(json.loads(done.stdout)["secret"]).key.mode == "live"


def test_an_error_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    done = _run(tmp_path, "credits", "balance")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("callmissed: No stack runs from '.callmissed'. Start one with 'callmissed dev'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("tenants", "list"), ("keys", "create", "--name", "x", "--tenant", "tnt_0", "--reason", "new")]
)
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
