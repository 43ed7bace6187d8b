"""`make bench-delivery`: the delivery numbers, and what they cost, in one run on loopback."""

import os
import signal
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console

from bench.delivery import report
from bench.delivery.run import Run
from bench.delivery.scenarios import Counts
from bench.delivery.worker import ENVIRONMENT
from bench.report import finish
from bench.run import IDLE_LOAD, RESULTS
from bench.servers import ROOT, BenchError
from local.errors import EngineError

DOCUMENT = ROOT / "docs" / "webhooks-performance.md"
JSON = RESULTS / "delivery.json"


def _stop(_signal: int, _frame: object) -> None:
    raise SystemExit(143)  # so that the servers are stopped on the way out


def main(
    soak: Annotated[int, typer.Option(min=0, help="Events of the soak; 0 keeps the one of an earlier run.")] = 0,
    quick: Annotated[bool, typer.Option(help="A tenth of everything, for a quick check; writes nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail when a budget is exceeded.")] = False,
) -> None:
    """Measure, print, and (unless quick) write the results. Exit status 1: --check and a budget is exceeded;
    2: no result.
    """
    signal.signal(signal.SIGTERM, _stop)
    os.environ.update(ENVIRONMENT)
    console = Console()
    if os.getloadavg()[0] > IDLE_LOAD:
        console.print(f"[yellow]the machine is busy (load {os.getloadavg()[0]:.1f}): expect noise[/]")
    try:
        with ExitStack() as stack:
            run = Run(stack, console, Counts().quick() if quick else Counts())
            found = run.measure(report.kept_soak(JSON), soak)
    except (BenchError, EngineError) as error:
        console.print("[red]no result[/]")
        console.print(str(error), markup=False, highlight=False)
        raise typer.Exit(2) from error
    print(report.tables(found))
    if not quick:
        report.write(found, JSON, DOCUMENT)
    finish(found.budgets, console, check=check)


if __name__ == "__main__":
    typer.run(main)
