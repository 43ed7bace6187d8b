"""One run: the servers, the workers' jobs in turns, and their results."""

import asyncio
import json
import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import instant_dynamodb
from bench.cost import PRICES, Prices
from bench.delivery import cost, numbers
from bench.delivery.cost import Assumed
from bench.delivery.numbers import Delay, Numbers, Speed
from bench.delivery.scenarios import Body, Counts, ScenarioSetup
from bench.delivery.soak import Soak, SoakLoad
from bench.delivery.steps import Steps
from bench.delivery.throughput import Load, Rate
from bench.delivery.units import Units
from bench.delivery.worker import Workers
from bench.ours import STAGE
from bench.servers import running, split_cores, wait_for_port
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables
from local.ports import free_port

ROUNDS = 2
DELIVER, DELIVER_INSTANT = "deliveries, first attempt succeeds", "… with a DynamoDB that answers at once"
FAN_OUT, FAN_OUT_INSTANT = "events fanned out to one webhook", "… fanned out with a DynamoDB that answers at once"


class Run:
    """Whatever it starts ends with `stack`."""

    def __init__(self, stack: ExitStack, console: Console, counts: Counts) -> None:
        self._stack = stack
        self._console = console
        self._scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._counts = counts
        self._workers = Workers(split_cores())
        self._dynamodb = stack.enter_context(dynamodb_local(self._scratch / "dynamodb.log"))
        self._setup = ScenarioSetup(self._dynamodb, self._start("bench.delivery.receiver"), counts)
        self._new_tables(self._dynamodb, STAGE)

    def measure(self, soaked: Soak | None, soak_events: int) -> Numbers:
        """Everything; the soak only when it has events, else `soaked` is taken over."""
        rates = self._rates()
        delays, probes = self._delays()
        units = asyncio.run(Steps(self._new_tables(self._dynamodb, "units")).count())
        if soak_events:
            soaked = self._soak(soak_events)
        return Numbers(
            cores=os.cpu_count() or 1,
            speeds={name: Speed(rate.per_second, rate.cpu_ms) for name, rate in rates.items()},
            delays=delays,
            probes=probes,
            units=units,
            **_costs(units, rates),
            budgets=numbers.budgets(delays, soaked),
            soak=soaked,
        )

    def _rates(self) -> dict[str, Rate]:
        jobs, published = self._setup.work()
        instant = self._start_instant()
        self._console.print("deliveries and fan-outs per second")
        return {
            DELIVER: self._workers.deliver(self._load(self._dynamodb, jobs)),
            DELIVER_INSTANT: self._workers.deliver(self._load(instant, jobs)),
            FAN_OUT: self._workers.fan_out(self._load(self._dynamodb, published)),
            FAN_OUT_INSTANT: self._workers.fan_out(self._load(instant, published)),
        }

    def _delays(self) -> tuple[dict[str, Delay], int]:
        """Alone and beside the failing tenant in turns, then the outage start; and how many probes hung meanwhile."""
        setup, quiet = self._setup, self._setup.quiet_tenant()
        self._console.print(f"parking {self._counts.parked} deliveries")
        failing, failures = setup.failing_tenant(), 0
        samples: dict[str, list[float]] = {numbers.ALONE: [], numbers.BESIDE_OUTAGE: []}
        for number in range(ROUNDS):
            self._console.print(f"delays, round {number + 1} of {ROUNDS}")
            samples[numbers.ALONE] += self._workers.delays(setup.alone(quiet))
            samples[numbers.BESIDE_OUTAGE] += self._workers.delays(setup.beside_outage(quiet, failing))
            failures += setup.failed_probes(failing)
        bursts = {numbers.BURST_FAIR: (True, False), numbers.BURST_PLAIN: (False, False)}
        for name, (fair, scales) in {**bursts, numbers.BURST_SCALED: (True, True)}.items():
            self._console.print(f"delays {name}")
            samples[name] = self._workers.delays(setup.beside_burst(quiet, fair=fair, scales=scales))
        return {name: numbers.delay(each) for name, each in samples.items()}, failures

    def _soak(self, count: int) -> Soak:
        """In a DynamoDB Local of its own: the other one is slow by now."""
        self._console.print(f"soak: {count} events")
        with dynamodb_local(self._scratch / "soak.log") as dynamodb:
            return self._workers.soak(SoakLoad(dynamodb, self._new_tables(dynamodb, "soak").stage, count))

    def _load(self, dynamodb: str, bodies: list[Body]) -> Load:
        return Load(dynamodb, bodies, self._counts.warm_up)

    def _start_instant(self) -> str:
        """A DynamoDB that answers at once, with what is in the real one now."""
        items = self._scratch / "items.json"
        tables = (WEBHOOKS, DELIVERIES, OUTBOX)
        items.write_text(json.dumps(instant_dynamodb.record(StageTables(self._dynamodb, STAGE), tables)))
        return self._start("bench.instant_dynamodb", "--items", str(items))

    def _start(self, module: str, *options: str) -> str:
        port, log = free_port(), self._scratch / f"{module}.log"
        command = (sys.executable, "-m", module, "--port", str(port), *options)
        wait_for_port(port, self._stack.enter_context(running(command, {}, log)), log)
        return f"http://127.0.0.1:{port}"

    def _new_tables(self, dynamodb: str, stage: str) -> StageTables:
        store = StageTables(dynamodb, stage)
        create_tables(store)
        return store


def _costs(units: Mapping[str, Units], rates: Mapping[str, Rate]) -> dict[str, Any]:
    table = tomllib.loads(PRICES.read_text())
    regions = {name: Prices(**row) for name, row in table["regions"].items()}
    assumed = Assumed(**table["deliveries"], fanout_cpu_ms=rates[FAN_OUT].cpu_ms, attempt_cpu_ms=rates[DELIVER].cpu_ms)
    first, paths = next(iter(regions.values())), cost.paths(units, assumed)
    bills = {
        region: {name: cost.bill(path, prices, assumed) for name, path in paths.items()}
        for region, prices in regions.items()
    }
    single = {name: cost.bill(path, first, replace(assumed, batch=1)) for name, path in paths.items()}
    return {"bills": bills, "single": single, "long_waits": cost.long_waits(units, first, assumed)}
