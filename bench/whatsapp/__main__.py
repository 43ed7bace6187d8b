"""`make bench-whatsapp` and `make soak NAME=whatsapp`: conversations at once, and the soak, in one run on loopback."""

import asyncio
import logging
import os
import random
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.delivery.worker import ENVIRONMENT
from bench.report import finish
from bench.run import IDLE_LOAD, RESULTS
from bench.servers import ROOT
from bench.whatsapp import concurrency, report
from bench.whatsapp.report import SoakFigures, WhatsAppNumbers
from bench.whatsapp.soak import WhatsAppSoakLoad, soak
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables
from local.errors import EngineError

DOCUMENT = ROOT / "docs" / "whatsapp-performance.md"
JSON = RESULTS / "whatsapp.json"
CONVERSATIONS = 200
_MESSAGES_EACH = 10


def _stop(_signal: int, _frame: object) -> None:
    raise SystemExit(143)  # so that the servers are stopped on the way out


def main(
    messages: Annotated[int, typer.Option("--soak", min=0, help="Messages of the soak; 0 keeps an earlier one.")] = 0,
    seed: Annotated[int, typer.Option(envvar="SEED", help="Seed of the soak; a random one by default.")] = 0,
    quick: Annotated[bool, typer.Option(help="A tenth of everything; writes nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail when a budget is exceeded.")] = False,
) -> None:
    """Measure, print, and (unless quick) write the results. Exit status 1: --check and a budget is exceeded;
    2: no result.
    """
    signal.signal(signal.SIGTERM, _stop)
    os.environ.update(ENVIRONMENT)
    logging.disable(logging.ERROR)
    console = Console()
    if os.getloadavg()[0] > IDLE_LOAD:
        console.print(f"[yellow]the machine is busy (load {os.getloadavg()[0]:.1f}): expect noise[/]")
    share = 10 if quick else 1
    try:
        with tempfile.TemporaryDirectory() as scratch, dynamodb_local(Path(scratch) / "dynamodb.log") as endpoint:
            together = asyncio.run(concurrency.measure(_new_tables(endpoint, "together"), CONVERSATIONS // share))
            soaked = _soak(endpoint, messages // share, seed, console) if messages else report.kept_soak(JSON)
    except EngineError as error:
        console.print("[red]no result[/]")
        console.print(str(error), markup=False, highlight=False)
        raise typer.Exit(2) from error
    found = WhatsAppNumbers(together, soaked)
    print(report.tables(found))
    if not quick:
        report.write(found, JSON, DOCUMENT)
    finish(found.budgets, console, check=check)


def _soak(endpoint: str, messages: int, seed: int, console: Console) -> SoakFigures:
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    console.print(f"soak: {messages} messages, SEED={seed}")
    load = WhatsAppSoakLoad(messages, max(1, messages // _MESSAGES_EACH), seed)
    found = asyncio.run(soak(load, _new_tables(endpoint, "soak")))
    console.print(f"{found.seconds:.0f} s, turns {dict(found.audit.turns)}, reasons {dict(found.audit.reasons)}")
    for wrong in found.audit.wrong:
        console.print(f"[red]wrong:[/] {wrong}", soft_wrap=True)
    if found.audit.wrong:
        log = RESULTS / "whatsapp-soak.log"
        log.write_text(found.log)
        console.print(f"the processes' log is {log}; again with SEED={seed}")
    return SoakFigures.of(found)


def _new_tables(endpoint: str, stage: str) -> StageTables:
    tables = StageTables(endpoint, stage)
    create_tables(tables)
    return tables


if __name__ == "__main__":
    typer.run(main)
