"""What a run writes down."""

import importlib
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from bench.load import Sample
from bench.measure import OURS, OURS_INSTANT, Budget, Case, GatewayResult, Tally, figures
from bench.report import Report, write_json, write_plot

CASES = (Case(stream=False, concurrency=1, calls=1), Case(stream=True, concurrency=1, calls=1))


def report() -> Report:
    tally = Tally(1, 0.002, [Sample(1.0, 2.0)])
    result = GatewayResult("1", 1.23456, 70.0, {case.name: figures(case, tally, tally) for case in CASES})
    return Report(
        cases=CASES,
        rounds=1,
        event_delay=2.0,
        cores=2,
        direct={},
        gateways={OURS: result, OURS_INSTANT: result},
        import_cpu={},
        budgets=[Budget("memory", 140.0, 130.0, "MB")],
    )


def test_the_json_has_rounded_figures_and_verdicts(tmp_path: Path):
    write_json(report(), tmp_path / "latest.json")
    document = json.loads((tmp_path / "latest.json").read_text())
    assert document["gateways"][OURS]["start_seconds"] == 1.235
    assert document["gateways"][OURS]["cases"]["blocking x1"]["cpu"] == 2.0
    assert document["budgets"][0]["holds"] is False


@pytest.mark.parametrize("options", [[], ["--check"]], ids=str)
@pytest.mark.parametrize("command", ["bench.run", "bench.delivery.__main__"])
def test_a_budget_that_is_exceeded_is_named_and_fails_the_check_alone(
    command: str, options: list[str], monkeypatch: pytest.MonkeyPatch
):
    module = importlib.import_module(command)
    measured = SimpleNamespace(budgets=report().budgets)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("bench.delivery.__main__.ENVIRONMENT", {})
    monkeypatch.setattr("bench.run._run", lambda *_: measured)
    monkeypatch.setattr("bench.delivery.run.Run.__init__", lambda *_: None)
    monkeypatch.setattr("bench.delivery.run.Run.measure", lambda *_: measured)
    for name in ("bench.report.show", "bench.delivery.report.tables", "bench.delivery.report.kept_soak"):
        monkeypatch.setattr(name, lambda *_: "")
    app = typer.Typer()
    app.command()(module.main)

    result = CliRunner().invoke(app, ["--quick", *options])

    assert result.exit_code == (1 if options else 0), result.output
    assert "over budget: memory: 140.00 MB, at most 130.00" in result.output


def test_the_plot_is_the_same_file_for_the_same_figures(tmp_path: Path):
    for name in ("one.svg", "two.svg"):
        write_plot(report(), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "CPU a call, ms" in (tmp_path / "one.svg").read_text()
