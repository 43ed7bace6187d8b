"""The numbers as Markdown, for docs/webhooks-performance.md and the terminal, and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.cost import between_markers, markdown_table
from bench.delivery.numbers import ALONE, Numbers
from bench.delivery.soak import Soak
from bench.measure import Budget
from bench.report import rounded

MARKER = "delivery"
Rows = Sequence[Sequence[str]]


def tables(numbers: Numbers) -> str:
    """All of it in Markdown."""
    parts = [
        ("Deliveries per worker", speed_rows(numbers)),
        ("Dispatch delay of a quiet tenant", delay_rows(numbers)),
        *([("Soak", soak_rows(numbers.soak))] if numbers.soak else []),
        ("DynamoDB units", unit_rows(numbers)),
        ("USD per million deliveries", cost_rows(numbers)),
        ("USD for the seven long waits of a million deliveries", long_wait_rows(numbers)),
        ("Budgets", budget_rows(numbers.budgets)),
    ]
    return "\n\n".join(f"### {title}\n\n{markdown_table(rows)}" for title, rows in parts)


def speed_rows(numbers: Numbers) -> Rows:
    """A row for each kind of work."""
    head = ["work of one worker, on one core", "per second", "CPU ms each"]
    return [head, *([name, f"{each.per_second:.0f}", f"{each.cpu_ms:.2f}"] for name, each in numbers.speeds.items())]


def delay_rows(numbers: Numbers) -> Rows:
    """A row for each scenario, with its 99th percentile over that of the quiet tenant alone."""
    head = ["the quiet tenant's events, ms from outbox to endpoint", "events", "p50", "p99", "longest", "p99 / alone"]
    alone = numbers.delays[ALONE].quantiles.p99
    rows = [
        [
            name,
            str(each.count),
            *(f"{value:.1f}" for value in (each.quantiles.p50, each.quantiles.p99, each.longest)),
            f"{each.quantiles.p99 / alone:.2f}",
        ]
        for name, each in numbers.delays.items()
    ]
    return [head, *rows]


def soak_rows(soak: Soak) -> Rows:
    """One row."""
    head = ["events", "steps", "deaths", "attempts", "**lost**", "duplicates", "duplicate rate"]
    counts = [f"{count:,}" for count in (soak.events, soak.steps, soak.deaths, soak.attempts, soak.lost)]
    return [head, [*counts, f"{soak.duplicates:,}", f"{100 * soak.duplicate_rate:.2f} %"]]


def unit_rows(numbers: Numbers) -> Rows:
    """A row for each step."""
    head = ["step", "round trips", "WRU, table", "WRU, index", "RRU"]
    rows = [
        [
            name,
            *(f"{round(value, 2):g}" for value in (each.round_trips, each.table_writes, each.index_writes, each.reads)),
        ]
        for name, each in numbers.units.items()
    ]
    return [head, *rows]


def cost_rows(numbers: Numbers) -> Rows:
    """A row for each class, with the split of the first region, its total without batches, and all regions' totals."""
    regions = list(numbers.bills)
    first = numbers.bills[regions[0]]
    head = ["one event for one webhook", "DynamoDB", "EventBridge", "SQS", "Lambda", "one by one"]
    rows = [
        [
            name,
            *(f"{value:.2f}" for value in (each.dynamodb, each.events, each.queues, each.compute)),
            f"{numbers.single[name].total:.2f}",
            *(f"{numbers.bills[region][name].total:.2f}" for region in regions),
        ]
        for name, each in first.items()
    ]
    return [[*head, *(f"**{region}**" for region in regions)], *rows]


def long_wait_rows(numbers: Numbers) -> Rows:
    """A row for each way of waiting."""
    return [["kept in", "USD"], *([name, f"{dollars:.2f}"] for name, dollars in numbers.long_waits.items())]


def budget_rows(budgets: Sequence[Budget]) -> Rows:
    """A row for each budget with its verdict."""
    head = ["budget", "measured", "at most", "verdict"]
    rows = [
        [each.what, _amount(each.measured, each.unit), _amount(each.limit, each.unit), _verdict(each)]
        for each in budgets
    ]
    return [head, *rows]


def _amount(value: float, unit: str) -> str:
    return f"{round(value, 1):g} {unit}".strip()


def _verdict(budget: Budget) -> str:
    return "holds" if budget.holds else "exceeded"


def write(numbers: Numbers, results: Path, document: Path) -> None:
    """Write the JSON and put the tables into the document."""
    results.write_text(json.dumps(rounded(asdict(numbers)), indent=2) + "\n")
    document.write_text(between_markers(document.read_text(), tables(numbers), MARKER))


def kept_soak(results: Path) -> Soak | None:
    """The soak of an earlier run, if there was one."""
    if not results.exists():
        return None
    document: Mapping[str, Any] = json.loads(results.read_text())
    return Soak(**document["soak"]) if document.get("soak") else None
