"""Steps of one function's work, counted once, with what a million of them cost."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.cost import Prices, markdown_table
from bench.delivery.worker import ENVIRONMENT
from callmissed.platform.functions.function import Function
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables


@contextmanager
def fresh_tables(stage: str) -> Generator[StageTables]:
    """The platform's tables, empty, on a DynamoDB Local of their own, with the environment that a process needs."""
    os.environ.update(ENVIRONMENT)
    with TemporaryDirectory() as scratch, dynamodb_local(Path(scratch) / "dynamodb.log") as endpoint:
        tables = StageTables(endpoint, stage)
        create_tables(tables)
        yield tables


@dataclass(frozen=True, slots=True)
class Step:
    """What happens: its title, its key in the price file, the function that does it, and whether it is a request."""

    title: str
    name: str
    function: Function
    requested: bool = False


@dataclass(frozen=True, slots=True)
class CountedStep:
    """A step with what it asks of DynamoDB."""

    step: Step
    round_trips: float
    write_units: float
    read_units: float

    def shared(self, count: int) -> "CountedStep":
        """One of `count` steps that were counted together."""
        units = (self.round_trips, self.write_units, self.read_units)
        return CountedStep(self.step, *(round(each / count, 2) for each in units))


def cost_per_million(counted: CountedStep, region: Prices, table: Mapping[str, Any]) -> tuple[float, float, float]:
    """USD of a million: DynamoDB, queues, bus and API, and Lambda. `table` is the price file's part about the steps."""
    name, function = counted.step.name, counted.step.function
    dynamodb = counted.write_units * region.write_units + counted.read_units * region.read_units
    requests = table["queue_requests"].get(name, 0) * (region.queue_requests + region.fair_requests)
    events = table["events"].get(name, 0) * region.events
    gb_seconds = table["milliseconds"][name] / 1000 * function.memory_mb / 1024
    compute = region.lambda_requests + gb_seconds * region.lambda_gb_seconds
    return dynamodb, requests + events + (region.rest_api if counted.step.requested else 0), compute


def render(counted: Sequence[CountedStep], regions: Mapping[str, Prices], table: Mapping[str, Any]) -> str:
    """The table in Markdown, a row a step, with the split of the first region and the totals of all."""
    head = ["", "round trips", "WRU", "RRU", "DynamoDB $", "queues, bus, API $", "Lambda $"]
    rows = [head + [f"**{region} $**" for region in regions]]
    for each in counted:
        bills = [cost_per_million(each, region, table) for region in regions.values()]
        units = [f"{value:g}" for value in (each.round_trips, each.write_units, each.read_units)]
        dollars = [*(f"{value:.2f}" for value in bills[0]), *(f"{sum(bill):.2f}" for bill in bills)]
        rows.append([each.step.title, *units, *dollars])
    return markdown_table(rows)
