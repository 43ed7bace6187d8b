"""`make soak NAME=billing-year`: a year of fifty tenants, then ten weeks with the end of a leap February."""

import asyncio
import io
import logging
import os
import random
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.billing_year.soak import YearPlan, YearReport, live
from bench.delivery.worker import ENVIRONMENT
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables


def main(
    seed: Annotated[int, typer.Option(envvar="SEED", help="Seed; a random one by default.")] = 0,
    tenants: Annotated[int, typer.Option(min=1, help="Tenants of the year.")] = 50,
    days: Annotated[int, typer.Option(min=1, help="Days of the year.")] = 365,
) -> None:
    """Let the year pass, and print what happened. Exit status 1: something is not as it must be."""
    os.environ.update(ENVIRONMENT)
    logging.disable(logging.CRITICAL)
    console, seed = Console(), seed or random.SystemRandom().randrange(1, 10**6)
    console.print(f"a year of {tenants} tenants, SEED={seed}")
    plans = [YearPlan(seed, tenants, days), YearPlan(seed, max(1, tenants // 5), min(days, 70), 2028)]
    with (
        tempfile.TemporaryDirectory() as scratch,
        dynamodb_local(Path(scratch) / "dynamodb.log") as endpoint,
        redirect_stdout(io.StringIO()),  # metrics, which functions print
    ):
        reports = [asyncio.run(live(plan, _new_tables(endpoint, f"year-{plan.year}"))) for plan in plans]
    for report in reports:
        _print(report, console)
    if missing := reports[0].missing if (tenants, days) >= (50, 365) else []:
        console.print(f"[red]never happened:[/] {', '.join(missing)}")
    if missing or any(report.wrong for report in reports):
        console.print(f"again with SEED={seed}")
        raise typer.Exit(1)


def _print(report: YearReport, console: Console) -> None:
    plan = report.plan
    console.print(f"[bold]{plan.year}: {plan.tenants} tenants, {plan.days} days, {report.seconds:.0f} s[/]")
    for what, count in sorted(report.done.items()):
        console.print(f"  {count:6} {what}", highlight=False)
    console.print(f"  {report.broken.total():6} steps broke and were done again: {dict(report.broken)}")
    for wrong in report.wrong:
        console.print(f"[red]wrong:[/] {wrong}", soft_wrap=True, highlight=False)


def _new_tables(endpoint: str, stage: str) -> StageTables:
    tables = StageTables(endpoint, stage)
    create_tables(tables)
    return tables


if __name__ == "__main__":
    typer.run(main)
