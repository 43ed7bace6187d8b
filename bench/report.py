"""A run's results as tables in the terminal, as JSON and as a plot."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import typer
from rich.console import Console
from rich.table import Table

from bench.measure import BASELINE, OURS, OURS_INSTANT, TOWARDS, Budget, Case, GatewayResult, Quantiles, cpu_per_chunk

DYNAMODB_COLOUR = "#bfdbfe"
COLOURS = {OURS: "#2563eb", BASELINE: "#9ca3af", TOWARDS: "#d4a72c"}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run found. Import CPU is in milliseconds by entry; event delay in milliseconds."""

    cases: Sequence[Case]
    rounds: int
    event_delay: float
    cores: int
    direct: Mapping[str, Quantiles]
    gateways: Mapping[str, GatewayResult]
    import_cpu: Mapping[str, float]
    budgets: Sequence[Budget]


def write_json(report: Report, path: Path) -> None:
    """Write the whole report, with each budget's verdict, to `path`."""
    document = asdict(report)
    for row, budget in zip(document["budgets"], report.budgets, strict=True):
        row["holds"] = budget.holds
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(document), indent=2) + "\n")


def rounded(value: Any) -> Any:
    """`value` with every float in it to three places."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        return {name: rounded(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for case in report.cases:
        console.print(_case_table(report, case))
    console.print(_process_table(report))
    console.print(_import_table(report))
    console.print(_budget_table(report.budgets))


def _case_table(report: Report, case: Case) -> Table:
    measured = "to the first bytes" if case.stream else "to the end"
    direct = report.direct[case.name]
    table = Table(title=f"{case.name}: ms {measured}; direct call p50 {direct.p50:.2f}, p99 {direct.p99:.2f}")
    columns = ("gateway", "CPU per call", "added p50", "added p99", "Server-Timing db p50")
    for column in (*columns, *(("CPU per chunk",) if case.stream else ())):
        table.add_column(column, justify="left" if column == "gateway" else "right")
    baseline = report.gateways.get(BASELINE)
    for name, result in report.gateways.items():
        figure, than = result.cases[case.name], baseline.cases[case.name] if baseline else None
        row = [
            _against(figure.cpu, than and than.cpu),
            _against(figure.added.p50, than and than.added.p50),
            _against(figure.added.p99, than and than.added.p99),
            f"{figure.db.p50:.2f}" if figure.db.p50 else "-",
        ]
        table.add_row(name, *row, *([f"{cpu_per_chunk(figure):.3f}"] if case.stream else []))
    return table


def _against(value: float, baseline: float | None) -> str:
    return f"{value:.2f} ({value / baseline:.2f}x)" if baseline else f"{value:.2f}"


def _process_table(report: Report) -> Table:
    table = Table(title="processes")
    for column in ("gateway", "version", "start-up, s", "resident after load, MB"):
        table.add_column(column)
    for name, result in report.gateways.items():
        table.add_row(name, result.version, f"{result.start_seconds:.2f}", f"{result.resident_mb:.0f}")
    return table


def _import_table(report: Report) -> Table:
    table = Table(title="import CPU in a fresh interpreter, ms")
    table.add_column("entry")
    table.add_column("CPU", justify="right")
    for entry, milliseconds in report.import_cpu.items():
        table.add_row(entry, f"{milliseconds:.0f}")
    return table


def _budget_table(budgets: Sequence[Budget]) -> Table:
    table = Table(title="budgets")
    for column in ("what", "measured", "at most", f"towards {TOWARDS}", "verdict"):
        table.add_column(column)
    for budget in budgets:
        towards = "" if budget.towards is None else f"{budget.towards:.2f}"
        verdict = "[green]holds[/]" if budget.holds else "[red]exceeded[/]"
        table.add_row(
            budget.what, f"{budget.measured:.2f} {budget.unit}", f"{budget.limit:.2f} {budget.unit}", towards, verdict
        )
    return table


def finish(budgets: Sequence[Budget], console: Console, *, check: bool) -> None:
    """Name every budget that is exceeded. Raises typer.Exit with status 1 for one, with `check` alone."""
    exceeded = [budget for budget in budgets if not budget.holds]
    for budget in exceeded:
        console.print(
            f"[yellow]over budget:[/] {budget.what}: {budget.measured:.2f} {budget.unit}, at most {budget.limit:.2f}",
            soft_wrap=True,
        )
    if exceeded and check:
        raise typer.Exit(1)


def write_plot(report: Report, path: Path) -> None:
    """Draw the main figures as bars into an SVG at `path`: CPU, added latency, memory, gateway by gateway."""
    from matplotlib import pyplot, rcParams  # takes a second to import, and only a whole run needs it

    rcParams.update({"svg.hashsalt": "callmissed", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    panels = _panels(report)
    figure, axes = pyplot.subplots(1, len(panels), figsize=(11, 1.7), sharey=True, layout="constrained")
    for axis, (title, values) in zip(axes, panels.items(), strict=True):
        bars = axis.barh(list(values), list(values.values()), color=[COLOURS[name] for name in values])
        axis.bar_label(bars, [f"{value:.3g}" for value in values.values()], padding=3)
        axis.set_title(title, fontsize=9)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.set_xticks([])
        axis.margins(x=0.2)
    axes[0].invert_yaxis()
    whole, own = _main_latency(report, OURS), _main_latency(report, OURS_INSTANT)
    axes[2].barh([OURS], [max(0.0, whole - own)], left=own, color=DYNAMODB_COLOUR)
    cast("Any", figure).savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")
    pyplot.close(figure)


def _panels(report: Report) -> dict[str, dict[str, float]]:
    streaming = next(case.name for case in report.cases if case.stream)
    deployed = {name: result for name, result in report.gateways.items() if name != OURS_INSTANT}
    return {
        "CPU a call, ms": {name: each.cases[_main_case(report)].cpu for name, each in deployed.items()},
        "CPU a 24-event stream, ms": {name: each.cases[streaming].cpu for name, each in deployed.items()},
        "added p50, ms (light: DynamoDB)": {name: _main_latency(report, name) for name in deployed},
        "resident memory, MB": {name: each.resident_mb for name, each in deployed.items()},
    }


def _main_latency(report: Report, name: str) -> float:
    return report.gateways[name].cases[_main_case(report)].added.p50


def _main_case(report: Report) -> str:
    return next(case.name for case in report.cases if not case.stream)
