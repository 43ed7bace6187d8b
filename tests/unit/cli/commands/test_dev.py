"""`callmissed dev`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import local.stack.run
from cli.main import app


def test_dev_runs_the_stack_as_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs: list[tuple[int, Path, bool]] = []

    def run(port: int, state_dir: Path, reset: bool) -> None:
        runs.append((port, state_dir, reset))

    monkeypatch.setattr(local.stack.run, "run", run)

    for words in (["dev"], ["dev", "--port", "0", "--state", str(tmp_path), "--reset"]):
        assert CliRunner().invoke(app, words).exit_code == 0

    assert runs == [(8000, Path(".callmissed"), False), (0, tmp_path, True)]
