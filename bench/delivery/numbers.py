"""What a run finds, and the budget that it must hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.delivery.cost import Bill
from bench.delivery.soak import Soak
from bench.delivery.units import Units
from bench.measure import Budget, Quantiles, quantiles

ALONE = "alone"
BESIDE_OUTAGE = "beside a tenant whose endpoint is down, with 100,000 parked deliveries"
BURST_FAIR = "outage start of a tenant with 2,000 queued jobs: fair queue, 8 senders"
BURST_PLAIN = "… queue without fairness, 8 senders"
BURST_SCALED = "… fair queue, 5 senders and 5 more each second"
TIMES_ALONE = 2.0


@dataclass(frozen=True, slots=True)
class Speed:
    """What one worker does in a second, and milliseconds of its CPU for each."""

    per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Delay:
    """Dispatch delays of `count` events, in milliseconds."""

    count: int
    quantiles: Quantiles
    longest: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """Everything that a run found.

    `probes` hung for their ten seconds while delays beside the failing tenant were measured. `bills` are by class and
    by region, in batches of ten; `single` in the first region with every message by itself. `long_waits` are USD per
    million deliveries that wait long seven times.
    """

    cores: int
    speeds: Mapping[str, Speed]
    delays: Mapping[str, Delay]
    probes: int
    units: Mapping[str, Units]
    bills: Mapping[str, Mapping[str, Bill]]
    single: Mapping[str, Bill]
    long_waits: Mapping[str, float]
    budgets: Sequence[Budget]
    soak: Soak | None = None


def delay(samples: Sequence[float]) -> Delay:
    """The figures of `samples` in milliseconds. Raises ValueError when there are none."""
    return Delay(len(samples), quantiles(samples), max(samples))


def budgets(delays: Mapping[str, Delay], soak: Soak | None) -> list[Budget]:
    """The quiet tenant's budget, and that nothing is lost."""
    alone, beside = delays[ALONE].quantiles.p99, delays[BESIDE_OUTAGE].quantiles.p99
    checked = [Budget("p99 dispatch delay beside a tenant whose endpoint is down", beside, TIMES_ALONE * alone, "ms")]
    return checked + ([Budget(f"lost of {soak.events} events", soak.lost, 0, "")] if soak else [])
