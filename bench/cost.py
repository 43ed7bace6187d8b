"""`make cost`: USD per million calls of each endpoint, from counted units of DynamoDB and S3 and the price table."""

import argparse
import asyncio
import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2

from bench import ours
from bench.endpoints import SEARCHES, CountedFiles, CountedImages, Endpoint, ObjectMeter, endpoints
from bench.servers import ROOT, running, wait_for_port
from callmissed.aws.dynamodb import DynamoDB, Exchange
from callmissed.files.service import Files
from callmissed.platform.functions import INFERENCE
from callmissed.settings import from_environment
from callmissed_ai.calls.container import Container, create_container
from callmissed_ai.services.image_history.history import ImageHistory
from functions.inference.app import create_app
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables
from local.ports import free_port

PRICES = Path(__file__).parent / "prices.toml"
DOCUMENT = ROOT / "docs" / "cost.md"
MARKER = "cost"
READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
FAILED_CONDITION_UNITS = 1.0
CALLS = 20
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million units in one region; `gb_seconds` of Lambda on arm64. `fair_requests` come on top of others."""

    write_units: float
    read_units: float
    rest_api: float
    lambda_requests: float
    lambda_gb_seconds: float
    events: float
    schedules: float
    queue_requests: float
    fair_requests: float


@dataclass(frozen=True, slots=True)
class ObjectPrices:
    """USD of S3 in one region: per million writes, per million reads, and per GB in a month."""

    writes: float
    reads: float
    gb_month: float


@dataclass(frozen=True, slots=True)
class Work:
    """What one call of a class takes: DynamoDB round trips and units, S3's requests, Lambda's time.

    `megabytes` are what it leaves in S3 for a month.
    """

    name: str
    round_trips: float
    write_units: float
    read_units: float
    milliseconds: float
    memory_mb: int
    object_writes: float = 0
    object_reads: float = 0
    megabytes: float = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """USD per million calls, by service."""

    dynamodb: float
    api: float
    objects: float
    compute: float

    @property
    def total(self) -> float:
        """All services."""
        return self.dynamodb + self.api + self.objects + self.compute


@dataclass(slots=True)
class Meter:
    """Counts what the app's DynamoDB client reports: tries, and the units that DynamoDB says they took."""

    round_trips: int = 0
    write_units: float = 0.0
    read_units: float = 0.0

    def count(self, exchange: Exchange) -> None:
        """Count one try. A failed condition is billed as a write, though its answer doesn't say so."""
        self.round_trips += 1
        if exchange.operation in READS:
            self.read_units += exchange.capacity
        else:
            self.write_units += exchange.capacity or FAILED_CONDITION_UNITS

    def reset(self) -> None:
        """Begin again at nothing."""
        self.round_trips, self.write_units, self.read_units = 0, 0.0, 0.0


def cost_per_million(work: Work, prices: Prices, objects: ObjectPrices) -> Cost:
    """What a million calls of `work` cost."""
    gb_seconds = work.milliseconds / 1000 * work.memory_mb / 1024
    kept = work.megabytes * MILLION / 1000 * objects.gb_month
    return Cost(
        dynamodb=work.write_units * prices.write_units + work.read_units * prices.read_units,
        api=prices.rest_api,
        objects=work.object_writes * objects.writes + work.object_reads * objects.reads + kept,
        compute=prices.lambda_requests + gb_seconds * prices.lambda_gb_seconds,
    )


def render(works: Sequence[Work], regions: Mapping[str, tuple[Prices, ObjectPrices]]) -> str:
    """The table in Markdown, a row a class, with the split of the first region and the totals of all."""
    first = next(iter(regions.values()))
    head = ["class", "round trips", "WRU", "RRU", "S3 writes", "S3 reads", "Lambda ms"]
    head += ["DynamoDB $", "REST API $", "S3 $", "Lambda $"]
    rows = [head + [f"**{region} $**" for region in regions]]
    for work in works:
        split = cost_per_million(work, *first)
        units = (work.round_trips, work.write_units, work.read_units, work.object_writes, work.object_reads)
        counted = [f"{each:g}" for each in (*units, work.milliseconds)]
        dollars = [f"{each:.2f}" for each in (split.dynamodb, split.api, split.objects, split.compute)]
        totals = [f"{cost_per_million(work, *prices).total:.2f}" for prices in regions.values()]
        rows.append([work.name, *counted, *dollars, *totals])
    return markdown_table(rows)


def between_markers(document: str, table: str, marker: str = MARKER) -> str:
    """`document` with what stood between the lines of `marker` replaced by `table`. Raises ValueError without them."""
    first, last = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    before, begin, rest = document.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the document lacks '{first}' or '{last}'")
    return f"{before}{first}\n{table}\n{last}{after}"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """`rows`, the first of which is the head, with all columns but the first to the right."""
    rule = ["---"] + ["---:"] * (len(rows[0]) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


class Counting:
    """Counts calls of an app; `table` is the price file."""

    def __init__(
        self, client: httpx2.AsyncClient, meter: Meter, objects: ObjectMeter, table: Mapping[str, Any]
    ) -> None:
        self._client = client
        self._meter = meter
        self._objects = objects
        self._table = table

    async def count(self, endpoint: Endpoint) -> Work:
        """Mean units of `CALLS` calls, after one that is not counted. Raises RuntimeError on an unexpected status."""
        await self._once(endpoint)
        totals = [0.0] * 5
        for _ in range(CALLS):
            totals = [total + each for total, each in zip(totals, await self._once(endpoint), strict=True)]
        trips, writes, reads, puts, gets = (total / CALLS for total in totals)
        return Work(
            endpoint.title,
            trips,
            writes,
            reads,
            milliseconds=self._table["milliseconds"][endpoint.name],
            memory_mb=INFERENCE.memory_mb,
            object_writes=puts,
            object_reads=gets,
            megabytes=self._table["megabytes"][endpoint.leaves] if endpoint.leaves else 0,
        )

    async def _once(self, endpoint: Endpoint) -> tuple[float, ...]:
        """What one call took: round trips, write and read units of DynamoDB, writes and reads of S3."""
        made = ""
        if endpoint.before:
            made = (await endpoint.before(self._client, "")).json()["id"]
        self._meter.reset()
        self._objects.reset()
        response = await endpoint.send(self._client, made)
        if response.status_code != endpoint.status:
            status, text = response.status_code, response.text[:500]
            raise RuntimeError(f"{endpoint.title}: expected {endpoint.status}, got {status}: {text}")
        meter = self._meter
        return (meter.round_trips, meter.write_units, meter.read_units, self._objects.puts, self._objects.gets)


async def count_all(endpoint: str, account: ours.Account, table: Mapping[str, Any]) -> list[Work]:
    """Drive the real app, in this process, through every class. It reads its settings from the environment."""
    meter, objects = Meter(), ObjectMeter()
    dynamodb = DynamoDB(ours.REGION, endpoint, observe=meter.count)
    container = _with_counted_objects(create_container(from_environment(), dynamodb=dynamodb), objects)
    transport = httpx2.ASGITransport(create_app(container))
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
            counting = Counting(client, meter, objects, table)
            return [await counting.count(each) for each in endpoints(account)]
    finally:
        await container.close()


def _with_counted_objects(container: Container, meter: ObjectMeter) -> Container:
    images = ImageHistory(container.database, CountedImages(meter), container.clock)
    files = Files(container.database, CountedFiles(meter), container.clock)
    return replace(container, images=images, files=files)


def measured(table: Mapping[str, Any]) -> list[Work]:
    """Start the fake upstream and DynamoDB Local, seed a tenant, count."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, log = free_port(), scratch / "upstream.log"
        command = (sys.executable, "-m", "bench.fake_upstream", "--port", str(port))
        wait_for_port(port, stack.enter_context(running(command, {}, log)), log)
        endpoint = stack.enter_context(dynamodb_local(scratch / "dynamodb.log"))
        upstream = f"http://127.0.0.1:{port}/v1"
        providers = ours.write_providers(upstream, scratch)
        providers.write_text(providers.read_text() + SEARCHES.format(upstream=upstream))
        os.environ.update(ours.environment(endpoint, str(providers)))
        return asyncio.run(count_all(endpoint, ours.seed(StageTables(endpoint, ours.STAGE)), table))


def priced_regions(table: Mapping[str, Any]) -> Mapping[str, tuple[Prices, ObjectPrices]]:
    """The prices in the price file, by region."""
    return {name: (Prices(**row), ObjectPrices(**table["objects"][name])) for name, row in table["regions"].items()}


def main() -> None:
    """Count, print the table, and put it into docs/cost.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prices", type=Path, default=PRICES)
    parser.add_argument("--print-only", action="store_true", help="leave docs/cost.md as it is")
    options = parser.parse_args()
    table = tomllib.loads(options.prices.read_text())
    rendered = render(measured(table), priced_regions(table))
    print(rendered)
    if not options.print_only:
        DOCUMENT.write_text(between_markers(DOCUMENT.read_text(), rendered))


if __name__ == "__main__":
    main()
