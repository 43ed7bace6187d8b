"""`make bench-translation`: what a call costs when its caller and its provider speak different dialects.

Every pair is called in turns, in one run on loopback, with a DynamoDB that answers at once. A translated stream must
cost at most 1.5 times the CPU of one that passes through in its caller's dialect.
"""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import ours, report
from bench.dialects import CHAT, MESSAGES, RESPONSES
from bench.load import Job, WrongAnswerError
from bench.measure import OURS_INSTANT, Budget, Case, Tally
from bench.run import IDLE_LOAD, RESULTS, Bench, Subject
from bench.servers import BenchError
from local.errors import EngineError

CALLERS = (CHAT, MESSAGES, RESPONSES)
CASES = (Case(False, 16, 800), Case(True, 16, 960))
ROUNDS = 8
EVENT_DELAY_MS = 2.0
TRANSLATED_STREAM = 1.5


@dataclass(frozen=True, slots=True)
class Pair:
    """A caller's dialect and an upstream's."""

    caller: str
    upstream: str

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.caller} → {self.upstream}"


@dataclass(frozen=True, slots=True)
class Row:
    """CPU of one pair in milliseconds per call, and as a multiple of the same caller's calls that pass through."""

    pair: str
    case: str
    calls: int
    cpu: float
    ratio: float


PAIRS = tuple(Pair(caller, upstream) for caller in CALLERS for upstream in ours.MODELS)


def rows(cases: Sequence[Case], tallies: dict[tuple[Pair, str], Tally]) -> list[Row]:
    """A row for each pair and case of `tallies`."""
    cpu = {key: 1000 * tally.cpu_seconds / tally.calls for key, tally in tallies.items()}
    return [
        Row(
            pair.name,
            case.name,
            tallies[pair, case.name].calls,
            own,
            own / cpu[Pair(pair.caller, pair.caller), case.name],
        )
        for case in cases
        for pair in PAIRS
        if (own := cpu[pair, case.name])
    ]


def budgets(cases: Sequence[Case], found: Sequence[Row]) -> list[Budget]:
    """The budget of each translated stream."""
    streamed = {case.name for case in cases if case.stream}
    passed = {Pair(caller, caller).name for caller in CALLERS}
    return [
        Budget(f"{row.case}: {row.pair}", row.ratio, TRANSLATED_STREAM, "x passed through")
        for row in found
        if row.case in streamed and row.pair not in passed
    ]


def _measure(bench: Bench, subject: Subject, cases: Sequence[Case], rounds: int) -> dict[tuple[Pair, str], Tally]:
    tallies: dict[tuple[Pair, str], Tally] = {}
    for number in range(-1, rounds):  # the first round only warms up
        for case in cases:
            for pair in PAIRS:
                done = bench.round(subject, _job(subject, pair, case, case.calls // rounds))
                if number >= 0:
                    tallies.setdefault((pair, case.name), Tally()).add(*done)
    return tallies


def _job(subject: Subject, pair: Pair, case: Case, calls: int) -> Job:
    return replace(subject.job(case, calls), model=ours.MODELS[pair.upstream], dialect=pair.caller)


def _run(stack: ExitStack, console: Console, cases: Sequence[Case], rounds: int) -> list[Row]:
    bench = Bench(stack, console)
    upstream = bench.start_fake("bench.fake_upstream", "--event-delay-ms", str(EVENT_DELAY_MS)).base_url
    subjects, _environment = bench.start_ours(upstream)
    (subject,) = [each for each in subjects if each.gateway.name == OURS_INSTANT]
    return rows(cases, _measure(bench, subject, cases, rounds))


def _show(found: Sequence[Row], console: Console) -> None:
    table = Table(title="CPU of our gateway by dialects, instant DynamoDB")
    for column in ("case", "caller → upstream", "CPU per call, ms", "x passed through"):
        table.add_column(column, justify="left" if column.startswith("ca") else "right", no_wrap=True)
    for row in found:
        table.add_row(row.case, row.pair, f"{row.cpu:.2f}", f"{row.ratio:.2f}")
    console.print(table)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the pairs take turns.")] = ROUNDS,
    check: Annotated[bool, typer.Option("--check", help="Fail when a budget is exceeded.")] = False,
) -> None:
    """Measure, print, and write bench/results/translation.json. Exit status 1: --check and a budget is exceeded;
    2: no result.
    """
    console = Console()
    if os.getloadavg()[0] > IDLE_LOAD:
        console.print(f"[yellow]the machine is busy (load {os.getloadavg()[0]:.1f}): expect noise[/]")
    try:
        with ExitStack() as stack:
            found = _run(stack, console, CASES, rounds)
    except (BenchError, EngineError, WrongAnswerError) as error:
        console.print("[red]no result[/]")
        console.print(str(error), markup=False, highlight=False)
        raise typer.Exit(2) from error
    _show(found, console)
    (RESULTS / "translation.json").write_text(
        json.dumps(report.rounded([asdict(row) for row in found]), indent=2) + "\n"
    )
    report.finish(budgets(CASES, found), console, check=check)


if __name__ == "__main__":
    typer.run(main)
