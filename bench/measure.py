"""From samples to figures, and from figures to the budgets that they must hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.dialects import WORDS
from bench.load import Outcome, Sample

OURS = "CallMissed"
OURS_INSTANT = "CallMissed, instant DynamoDB"
DIRECT = "direct"
BASELINE = "LiteLLM"
TOWARDS = "Portkey"

CPU_BLOCKING = 1 / 2
CPU_STREAMING = 1 / 4
ADDED_LATENCY = 1 / 2
RESIDENT_MB = 130.0
IMPORT_RATIO = 1.3
AUTHORIZER_RATIO = 1.1


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of load: `calls` chat completions, `concurrency` at a time, in every round."""

    stream: bool
    concurrency: int
    calls: int

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{'streaming' if self.stream else 'blocking'} x{self.concurrency}"


@dataclass(slots=True)
class Tally:
    """What all rounds of one case at one gateway add up to."""

    calls: int = 0
    cpu_seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list[Sample])

    def add(self, outcome: Outcome, cpu_seconds: float) -> None:
        """Count one more round."""
        self.calls += outcome.calls
        self.cpu_seconds += cpu_seconds
        self.samples += outcome.samples


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Median and 99th percentile, in milliseconds."""

    p50: float
    p99: float

    def over(self, other: "Quantiles") -> "Quantiles":
        """What these add to `other`."""
        return Quantiles(self.p50 - other.p50, self.p99 - other.p99)


@dataclass(frozen=True, slots=True)
class Figures:
    """One gateway under one case.

    `latency` runs to the end of a blocking reply and to the first bytes of a streamed one, `whole` to the end of
    either; `added` is `latency` over the direct call's. `db` is how long the gateway says that calls stood at
    DynamoDB, our own client's work and the queue for our event loop included. CPU is in milliseconds per call.
    """

    calls: int
    cpu: float
    latency: Quantiles
    whole: Quantiles
    added: Quantiles
    db: Quantiles


@dataclass(frozen=True, slots=True)
class GatewayResult:
    """One gateway over all cases, by the case's name. Memory is in MB (10^6 bytes), read after the load."""

    version: str
    start_seconds: float
    resident_mb: float
    cases: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class Budget:
    """A measured figure, the most it may be, and the peer's figure that it is on the way to, if any."""

    what: str
    measured: float
    limit: float
    unit: str
    towards: float | None = None

    @property
    def holds(self) -> bool:
        """True when the figure is within the budget."""
        return self.measured <= self.limit


def quantiles(values: Sequence[float]) -> Quantiles:
    """Nearest-rank quantiles. Raises ValueError when there are no values."""
    if not values:
        raise ValueError("no values to take quantiles of")
    ranked = sorted(values)
    return Quantiles(*(ranked[-(-len(ranked) * percent // 100) - 1] for percent in (50, 99)))


def figures(case: Case, tally: Tally, direct: Tally) -> Figures:
    """What `tally` says of a gateway, given the `direct` calls of the same case."""
    seen, floor = latency(case, tally), latency(case, direct)
    return Figures(
        calls=tally.calls,
        cpu=1000 * tally.cpu_seconds / tally.calls,
        latency=seen,
        whole=quantiles([sample.total for sample in tally.samples]),
        added=seen.over(floor),
        db=quantiles([sample.db for sample in tally.samples]),
    )


def latency(case: Case, tally: Tally) -> Quantiles:
    """Of all calls of `tally`: until the end of a blocking reply, or the first bytes of a streamed one."""
    return quantiles([_latency(case, sample) for sample in tally.samples])


def _latency(case: Case, sample: Sample) -> float:
    return sample.first if case.stream else sample.total


def budgets(
    cases: Sequence[Case],
    results: Mapping[str, GatewayResult],
    import_ratios: Mapping[str, float],
    authorizer_ratio: float,
) -> list[Budget]:
    """The budgets that this run can check; those towards a peer need the baseline peer in `results`."""
    checked = [
        Budget(f"import CPU of {entry}", ratio, IMPORT_RATIO, "x fastapi + boto3")
        for entry, ratio in import_ratios.items()
    ]
    checked.append(Budget("import CPU of the authorizer", authorizer_ratio, AUTHORIZER_RATIO, "x boto3"))
    checked.append(Budget("resident memory after load", results[OURS].resident_mb, RESIDENT_MB, "MB"))
    if BASELINE in results:
        checked += [budget for case in cases for budget in _against_peers(case, results)]
    return checked


def _against_peers(case: Case, results: Mapping[str, GatewayResult]) -> list[Budget]:
    """CPU as it is deployed; latency without the time that DynamoDB takes."""
    baseline = results[BASELINE].cases[case.name]
    peer = results[TOWARDS].cases[case.name] if TOWARDS in results else None
    cpu, share = results[OURS].cases[case.name].cpu, CPU_STREAMING if case.stream else CPU_BLOCKING
    ours, theirs = results[OURS_INSTANT].cases[case.name].added, baseline.added
    latency = f"{case.name}: added {{}} with instant DynamoDB"
    return [
        Budget(f"{case.name}: CPU per call", cpu, share * baseline.cpu, "ms", peer and peer.cpu),
        Budget(latency.format("p50"), ours.p50, ADDED_LATENCY * theirs.p50, "ms", peer and peer.added.p50),
        Budget(latency.format("p99"), ours.p99, ADDED_LATENCY * theirs.p99, "ms", peer and peer.added.p99),
    ]


def cpu_per_chunk(figure: Figures) -> float:
    """CPU of a streamed call spread over its content events, in milliseconds."""
    return figure.cpu / len(WORDS)
