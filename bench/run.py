"""`make bench`: the direct call, our governed gateway and the installed peers, in turns, in one run on loopback."""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import imports, instant_dynamodb, ours, peers, report
from bench.load import Job, Outcome, WrongAnswerError
from bench.measure import DIRECT, OURS, OURS_INSTANT, Case, Figures, GatewayResult, Tally, budgets, figures, latency
from bench.peers import Gateway
from bench.servers import BenchError, LoadGenerator, Server, running, split_cores, wait_for_port
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables
from local.errors import EngineError
from local.ports import free_port

CASES = (Case(False, 1, 300), Case(False, 16, 800), Case(True, 1, 100), Case(True, 16, 320))
RESULTS = Path(__file__).parent / "results"
ROUNDS = 4
QUICK_SHARE = 5
EVENT_DELAY = 2.0
AFTERWORK_SECONDS = 0.3
IMPORT_REPEATS = 7
IDLE_LOAD = 0.5


@dataclass(slots=True)
class Subject:
    """What calls go to: a started gateway, or the upstream itself, which has no server to account for."""

    gateway: Gateway
    server: Server | None = None
    start_seconds: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])

    def cpu_seconds(self) -> float:
        """CPU used so far; 0 for the direct call."""
        return self.server.cpu_seconds() if self.server else 0.0

    def job(self, case: Case, calls: int) -> Job:
        """`calls` of the kind of `case` to this gateway."""
        gateway = self.gateway
        return Job(gateway.base_url, dict(gateway.headers), gateway.model, case.stream, case.concurrency, calls)


class Bench:
    """One run. Whatever it starts ends with `stack`."""

    def __init__(self, stack: ExitStack, console: Console) -> None:
        self.stack = stack
        self.console = console
        self.scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.gateway_cores = split_cores()
        self.load = LoadGenerator()
        stack.callback(self.load.close)

    def start_fake(self, module: str, *options: str) -> Gateway:
        """Start one of our fakes; called like a gateway, the fake upstream is the direct call."""
        port, log = free_port(), self.scratch / f"{module}.log"
        command = (sys.executable, "-m", module, "--port", str(port), *options)
        server = self.stack.enter_context(running(command, {}, log))
        wait_for_port(port, server, log)
        return Gateway(DIRECT, "", port, command, "fake-chat", {})

    def start_ours(self, upstream: str) -> tuple[list[Subject], Mapping[str, str]]:
        """Start our gateway twice, on DynamoDB Local and on one that takes no time; with the former's environment."""
        store = StageTables(self.stack.enter_context(dynamodb_local(self.scratch / "dynamodb.log")), ours.STAGE)
        account, providers = ours.seed(store), str(ours.write_providers(upstream, self.scratch))
        env = ours.environment(store.endpoint, providers)
        items = self.scratch / "items.json"
        items.write_text(json.dumps(instant_dynamodb.record(store)))
        instant = self.start_fake("bench.instant_dynamodb", "--items", str(items))
        instant_env = ours.environment(f"http://127.0.0.1:{instant.port}", providers)
        return [
            self.start(ours.governed(OURS, "governed", free_port(), env, account)),
            self.start(ours.governed(OURS_INSTANT, "governed", free_port(), instant_env, account)),
        ], env

    def start(self, gateway: Gateway) -> Subject:
        """Start `gateway` and time it until its first right answer."""
        self.console.print(f"starting {gateway.name} {gateway.version}")
        log, began = self.scratch / f"{gateway.name}.log", time.perf_counter()
        server = self.stack.enter_context(running(gateway.command, gateway.env, log, self.gateway_cores))
        wait_for_port(gateway.port, server, log)
        subject = Subject(gateway, server)
        self.load.do(subject.job(CASES[0], 1))
        subject.start_seconds = time.perf_counter() - began
        return subject

    def warm_up(self, subjects: Sequence[Subject], cases: Sequence[Case]) -> None:
        """A quarter of each case's calls, uncounted."""
        for case in cases:
            for subject in subjects:
                self.load.do(subject.job(case, max(1, case.calls // 4)))

    def measure(self, subjects: Sequence[Subject], case: Case, calls: int) -> None:
        """One round of `case`: `calls` to each subject in turn."""
        for subject in subjects:
            tally = subject.tallies.setdefault(case.name, Tally())
            tally.add(*self.round(subject, subject.job(case, calls)))

    def round(self, subject: Subject, job: Job) -> tuple[Outcome, float]:
        """Do `job` at `subject`; returns what was counted, and the CPU seconds that the subject used."""
        before = subject.cpu_seconds()
        outcome = self.load.do(job)
        time.sleep(AFTERWORK_SECONDS)  # what a gateway does after the last byte is its work too
        return outcome, subject.cpu_seconds() - before


def _installed_peers(upstream: str, scratch: Path, console: Console) -> list[Gateway]:
    found: list[Gateway] = []
    for name, configure in peers.PEERS.items():
        gateway = configure(free_port(), upstream, scratch)
        if gateway is None:
            console.print(f"[yellow]{name} is not installed: 'make bench-peers' installs it[/]")
        else:
            found.append(gateway)
    return found


def _result(subject: Subject, direct: Subject, cases: Sequence[Case]) -> GatewayResult:
    assert subject.server
    found: dict[str, Figures] = {
        case.name: figures(case, subject.tallies[case.name], direct.tallies[case.name]) for case in cases
    }
    return GatewayResult(subject.gateway.version, subject.start_seconds, subject.server.resident_mb(), found)


def _run(stack: ExitStack, console: Console, cases: Sequence[Case], rounds: int, event_delay: float) -> report.Report:
    bench = Bench(stack, console)
    direct = Subject(bench.start_fake("bench.fake_upstream", "--event-delay-ms", str(event_delay)))
    upstream = direct.gateway.base_url
    ours_both, env = bench.start_ours(upstream)
    console.print("import CPU")
    import_cpu = imports.import_cpu(env, IMPORT_REPEATS)
    gateways = [*ours_both, *map(bench.start, _installed_peers(upstream, bench.scratch, console))]
    console.print("warming up")
    bench.warm_up([direct, *gateways], cases)
    for number in range(rounds):
        console.print(f"round {number + 1} of {rounds}")
        for case in cases:
            bench.measure([direct, *gateways], case, case.calls // rounds)
    results = {each.gateway.name: _result(each, direct, cases) for each in gateways}
    return report.Report(
        cases=cases,
        rounds=rounds,
        event_delay=event_delay,
        cores=os.cpu_count() or 1,
        direct={case.name: latency(case, direct.tallies[case.name]) for case in cases},
        gateways=results,
        import_cpu=import_cpu,
        budgets=budgets(cases, results, imports.ratios(import_cpu), imports.authorizer_ratio(import_cpu)),
    )


def _stop(_signal: int, _frame: object) -> None:
    raise SystemExit(143)  # so that the servers are stopped on the way out


def main(
    quick: Annotated[bool, typer.Option(help="A fifth of the calls, for a quick check; writes nothing.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the gateways take turns.")] = ROUNDS,
    event_delay_ms: Annotated[float, typer.Option(help="The upstream's pause before each event.")] = EVENT_DELAY,
    check: Annotated[bool, typer.Option("--check", help="Fail when a budget is exceeded.")] = False,
) -> None:
    """Measure, print, and (unless quick) write bench/results/. Exit status 1: --check and a budget is exceeded;
    2: no result.
    """
    signal.signal(signal.SIGTERM, _stop)
    console = Console()
    if os.getloadavg()[0] > IDLE_LOAD:
        console.print(f"[yellow]the machine is busy (load {os.getloadavg()[0]:.1f}): expect noise[/]")
    cases = [Case(case.stream, case.concurrency, case.calls // (QUICK_SHARE if quick else 1)) for case in CASES]
    try:
        with ExitStack() as stack:
            found = _run(stack, console, cases, rounds, event_delay_ms)
    except (BenchError, EngineError, WrongAnswerError) as error:
        console.print("[red]no result[/]")
        console.print(str(error), markup=False, highlight=False)
        raise typer.Exit(2) from error
    report.show(found, console)
    if not quick:
        report.write_json(found, RESULTS / "latest.json")
        report.write_plot(found, RESULTS / "latest.svg")
    report.finish(found.budgets, console, check=check)


if __name__ == "__main__":
    typer.run(main)
