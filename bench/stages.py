"""`python -m bench.stages`: CPU of the stages that every chat call passes in process, without network or database.

Each stage runs many times in turns with the others; its figure is the round that used the least CPU, because other work
on the machine only adds to a round.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import dialects, ours
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName
from callmissed_ai.providers.sandbox.provider import SandboxProvider
from callmissed_ai.routing.router import Router
from callmissed_ai.services.chat import parse
from callmissed_ai.work import Meter, Work

CALLERS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")
ROUNDS = 40
CALLS = 100
_MICROSECONDS = 1_000_000

Stage = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """Microseconds of CPU that one call needs, by stage."""

    call: str
    stages: Mapping[str, float]

    @property
    def whole(self) -> float:
        """All stages together."""
        return sum(self.stages.values())


def stages(catalog: Catalog, dialect: DialectName, *, stream: bool) -> dict[str, Stage]:
    """The stages of a call of `dialect` that passes through to an upstream of the same one."""
    body = dialects.request(dialect, ours.MODELS[dialect], stream=stream)
    router, size = Router(catalog, {}, SandboxProvider), len(json.dumps(body))
    pieces = dialects.events(dialect) if stream else (dialects.reply(dialect),)
    parsed = parse(dialect, catalog, body, size)
    work = router.prepared(parsed)
    model, route = work.models[0], work.models[0].routes[0]
    return {
        "parse": lambda: parse(dialect, catalog, body, size),
        "prepared": lambda: router.prepared(parsed),
        "estimate": lambda: work.estimate,
        "request_for": lambda: work.request_for(model, route),
        "meter": lambda: _metered(work, pieces),
    }


def _metered(work: Work, pieces: tuple[bytes, ...]) -> Meter:
    model = work.models[0]
    meter = work.meter(model, model.routes[0])
    for piece in pieces:
        meter.feed(piece)
    meter.end()
    if not meter.finished:
        raise AssertionError(meter.broken)
    return meter


def measured(found: Mapping[str, Stage], rounds: int, calls: int) -> dict[str, float]:
    """The least CPU of each stage in microseconds per call, over `rounds` of `calls`."""
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, stage in found.items():
            used = _cpu_seconds(stage, calls) * _MICROSECONDS / calls
            least[name] = min(used, least.get(name, used))
    return least


def _cpu_seconds(stage: Stage, calls: int) -> float:
    begun = time.process_time_ns()
    for _ in range(calls):
        stage()
    return (time.process_time_ns() - begun) / 1_000_000_000


def rows(rounds: int, calls: int = CALLS) -> Iterator[Row]:
    """A row for each dialect, blocking and streamed."""
    with TemporaryDirectory() as scratch:
        catalog = load_catalog(ours.write_providers("http://localhost", Path(scratch)).read_text())
    for dialect in CALLERS:
        for stream in (False, True):
            name = f"{dialect}, {'stream' if stream else 'blocking'}"
            yield Row(name, measured(stages(catalog, dialect, stream=stream), rounds, calls))


def main(rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the stages take turns.")] = ROUNDS) -> None:
    """Measure and print."""
    found = list(rows(rounds))
    table = Table(title="CPU in process, µs per call")
    for column in ("call", *found[0].stages, "together"):
        table.add_column(column, justify="left" if column == "call" else "right", no_wrap=True)
    for row in found:
        table.add_row(row.call, *(f"{used:.1f}" for used in row.stages.values()), f"{row.whole:.1f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
