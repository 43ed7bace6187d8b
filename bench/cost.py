"""`make cost`: USD per million calls of each endpoint class, from counted DynamoDB units and the price table."""

import argparse
import asyncio
import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench import ours
from bench.load import Job
from bench.servers import ROOT, running, wait_for_port
from callmissed.aws.dynamodb import DynamoDB, Exchange
from callmissed.keys.secret import Mode, new_secret
from callmissed.platform.functions import INFERENCE
from callmissed.settings import from_environment
from callmissed_ai.calls.container import create_container
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
class Work:
    """What one call of a class takes: DynamoDB round trips and units, and Lambda's time."""

    name: str
    round_trips: float
    write_units: float
    read_units: float
    milliseconds: float
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Cost:
    """USD per million calls, by service."""

    dynamodb: float
    api: float
    compute: float

    @property
    def total(self) -> float:
        """All services."""
        return self.dynamodb + self.api + self.compute


@dataclass(frozen=True, slots=True)
class Call:
    """A class of calls: how it is named, its key in the price file, and the request."""

    title: str
    name: str
    method: str
    path: str
    key: str
    status: int
    stream: bool = False


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


def cost_per_million(work: Work, prices: Prices) -> Cost:
    """What a million calls of `work` cost."""
    gb_seconds = work.milliseconds / 1000 * work.memory_mb / 1024
    return Cost(
        dynamodb=work.write_units * prices.write_units + work.read_units * prices.read_units,
        api=prices.rest_api,
        compute=prices.lambda_requests + gb_seconds * prices.lambda_gb_seconds,
    )


def render(works: Sequence[Work], regions: Mapping[str, Prices]) -> str:
    """The table in Markdown, a row a class, with the split of the first region and the totals of all."""
    first = next(iter(regions.values()))
    head = ["class", "round trips", "WRU", "RRU", "Lambda ms", "DynamoDB $", "REST API $", "Lambda $"]
    rows = [head + [f"**{region} $**" for region in regions]]
    for work in works:
        split = cost_per_million(work, first)
        counted = [f"{each:g}" for each in (work.round_trips, work.write_units, work.read_units, work.milliseconds)]
        dollars = [f"{each:.2f}" for each in (split.dynamodb, split.api, split.compute)]
        totals = [f"{cost_per_million(work, prices).total:.2f}" for prices in regions.values()]
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


def endpoint_classes(account: ours.Account) -> tuple[Call, ...]:
    """The classes that are counted, with the key that each is called with."""
    chat = ("POST", "/v1/chat/completions")
    return (
        Call("chat completion, blocking", "chat_blocking", *chat, account.live_key, 200),
        Call("chat completion, streaming", "chat_streaming", *chat, account.live_key, 200, stream=True),
        Call("chat completion with a test key", "test_key", *chat, account.test_key, 200),
        Call("list of models", "models_list", "GET", "/v1/models", account.live_key, 200),
        Call("unknown or revoked key", "refused_key", *chat, new_secret(Mode.LIVE), 401),
        Call("malformed key", "malformed_key", *chat, "cm_live_garbage", 401),
    )


async def count(client: httpx2.AsyncClient, meter: Meter, call: Call, milliseconds: float) -> Work:
    """Mean units of `CALLS` calls, after one that is not counted. Raises RuntimeError on an unexpected status."""
    await _send(client, call)
    meter.reset()
    for _ in range(CALLS):
        await _send(client, call)
    means = (total / CALLS for total in (meter.round_trips, meter.write_units, meter.read_units))
    return Work(call.title, *means, milliseconds=milliseconds, memory_mb=INFERENCE.memory_mb)


async def _send(client: httpx2.AsyncClient, call: Call) -> None:
    headers = {"Authorization": f"Bearer {call.key}", "Content-Type": "application/json"}
    body = Job("", {}, "fake-chat", call.stream, 1, 1).body() if call.method == "POST" else None
    response = await client.request(call.method, call.path, headers=headers, content=body)
    if response.status_code != call.status:
        raise RuntimeError(f"{call.title}: expected {call.status}, got {response.status_code}: {response.text[:500]}")


async def count_all(endpoint: str, account: ours.Account, milliseconds: Mapping[str, float]) -> list[Work]:
    """Drive the real app, in this process, through every class. It reads its settings from the environment."""
    meter = Meter()
    dynamodb = DynamoDB(ours.REGION, endpoint, observe=meter.count)
    gateway = create_container(from_environment(), dynamodb=dynamodb)
    transport = httpx2.ASGITransport(create_app(gateway))
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
            calls = endpoint_classes(account)
            return [await count(client, meter, call, milliseconds[call.name]) for call in calls]
    finally:
        await gateway.close()


def measured(milliseconds: Mapping[str, float]) -> list[Work]:
    """Start the fake upstream and DynamoDB Local, seed a tenant, count."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, log = free_port(), scratch / "upstream.log"
        command = (sys.executable, "-m", "bench.fake_upstream", "--port", str(port))
        wait_for_port(port, stack.enter_context(running(command, {}, log)), log)
        endpoint = stack.enter_context(dynamodb_local(scratch / "dynamodb.log"))
        providers = ours.write_providers(f"http://127.0.0.1:{port}/v1", scratch)
        os.environ.update(ours.environment(endpoint, str(providers)))
        return asyncio.run(count_all(endpoint, ours.seed(StageTables(endpoint, ours.STAGE)), milliseconds))


def main() -> None:
    """Count, print the table, and put it into docs/cost.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prices", type=Path, default=PRICES)
    parser.add_argument("--print-only", action="store_true", help="leave docs/cost.md as it is")
    options = parser.parse_args()
    table = tomllib.loads(options.prices.read_text())
    regions = {name: Prices(**row) for name, row in table["regions"].items()}
    rendered = render(measured(table["milliseconds"]), regions)
    print(rendered)
    if not options.print_only:
        DOCUMENT.write_text(between_markers(DOCUMENT.read_text(), rendered))


if __name__ == "__main__":
    main()
