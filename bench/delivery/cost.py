"""USD per million deliveries, from the counted units and what each step asks of the other services.

A delivery here is one event for one webhook. SQS bills a request for every send, receive and delete of up to ten
messages; the bus sends each event to the fan-out's queue by itself, and the fan-out enqueues each event's deliveries by
itself, so those two are never shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.cost import Prices
from bench.delivery import steps
from bench.delivery.units import Units
from callmissed.platform.functions import EVENT_FANOUT, EVENT_RELAY, WEBHOOK_SENDER, Function

VCPU_MB = 1769
"""Memory at which Lambda gives a function one whole vCPU."""

SUCCESS = "success on the first attempt"
FAILURE = "failure of all ten attempts, endpoint answers 500"
SILENCE = "failure of all ten attempts, endpoint never answers"
WAITED = "parked while the endpoint is down, delivered when it is back"
DUE_INDEX = "due index and scheduler"
ONE_SHOTS = "one-shot schedules"
ONE_SHOTS_SAFE = "one-shot schedules, and the index for those that get lost"
LONG_WAITS = 7
_FANOUT_TRIPS, _ATTEMPT_TRIPS = 2, 4


@dataclass(frozen=True, slots=True)
class Assumed:
    """What one machine can't measure, in milliseconds: a round trip to DynamoDB, an endpoint's answer or its silence,
    the relay's work on a batch, creating a schedule. `batch` is how many messages come together. CPU is measured: of
    one fan-out and one attempt, in milliseconds of a whole vCPU.
    """

    dynamodb_ms: float
    answer_ms: float
    silence_ms: float
    relay_ms: float
    schedule_ms: float
    batch: int = 10
    fanout_cpu_ms: float = 0.0
    attempt_cpu_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Path:
    """What one delivery takes from the sender: `attempts`, each a job of its own that the endpoint answers after
    `answer_ms`. The jobs in `shared` were sent in full batches, the others one by one.
    """

    units: Units
    attempts: int
    answer_ms: float
    shared: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """USD per million, by service."""

    dynamodb: float
    events: float
    queues: float
    compute: float

    @property
    def total(self) -> float:
        """All services."""
        return self.dynamodb + self.events + self.queues + self.compute


def paths(units: Mapping[str, Units], assumed: Assumed) -> dict[str, Path]:
    """The classes of deliveries."""
    begun = units[steps.EVENT] + units[steps.FANOUT]
    ten = Path(begun + units[steps.TEN], 10, assumed.answer_ms, shared=LONG_WAITS)
    waited = units[steps.EVENT] + units[steps.PARKED] + units[steps.DRAINED]
    return {
        SUCCESS: Path(begun + units[steps.DELIVERED], 1, assumed.answer_ms),
        FAILURE: ten,
        SILENCE: replace(ten, answer_ms=assumed.silence_ms),
        WAITED: Path(waited, 1, assumed.answer_ms, shared=1),
    }


def bill(path: Path, prices: Prices, assumed: Assumed) -> Bill:
    """What a million deliveries on `path` cost."""
    return Bill(
        dynamodb=dynamodb_cost(path.units, prices),
        events=prices.events,
        queues=_queue_requests(path, prices, assumed),
        compute=_compute(path, prices, assumed),
    )


def dynamodb_cost(units: Units, prices: Prices) -> float:
    """What a million times `units` cost."""
    return units.writes * prices.write_units + units.reads * prices.read_units


def long_waits(units: Mapping[str, Units], prices: Prices, assumed: Assumed) -> dict[str, float]:
    """What the seven long waits of a million deliveries cost beyond their attempts, in USD, kept in either way.

    The index is written with each failed attempt's record, and the scheduler claims what is due before it enqueues
    it. A schedule is created by the sender and sends its job by itself.
    """
    recorded = Units(index_writes=units[steps.LATER].index_writes)
    fair = prices.queue_requests + prices.fair_requests
    creating = _gb_seconds(WEBHOOK_SENDER, assumed.schedule_ms / assumed.batch) * prices.lambda_gb_seconds
    one_shot = prices.schedules + fair + creating
    return {
        DUE_INDEX: LONG_WAITS * (dynamodb_cost(recorded + units[steps.SCHEDULED], prices) + fair / assumed.batch),
        ONE_SHOTS: LONG_WAITS * one_shot,
        ONE_SHOTS_SAFE: LONG_WAITS * (one_shot + dynamodb_cost(recorded, prices)),
    }


def _queue_requests(path: Path, prices: Prices, assumed: Assumed) -> float:
    """Requests with a message group cost more; we count all at the queue of jobs as such."""
    received_and_deleted = 2 / assumed.batch
    sent = path.attempts - path.shared + path.shared / assumed.batch
    jobs = sent + path.attempts * received_and_deleted
    return (1 + received_and_deleted) * prices.queue_requests + jobs * (prices.queue_requests + prices.fair_requests)


def _compute(path: Path, prices: Prices, assumed: Assumed) -> float:
    fanout_ms = _batch_ms(EVENT_FANOUT, assumed.fanout_cpu_ms, _FANOUT_TRIPS, 0, assumed)
    attempt_ms = _batch_ms(WEBHOOK_SENDER, assumed.attempt_cpu_ms, _ATTEMPT_TRIPS, path.answer_ms, assumed)
    batches = [(EVENT_RELAY, assumed.relay_ms, 1), (EVENT_FANOUT, fanout_ms, 1)]
    batches.append((WEBHOOK_SENDER, attempt_ms, path.attempts))
    each = [
        times * (prices.lambda_requests + _gb_seconds(function, milliseconds) * prices.lambda_gb_seconds)
        for function, milliseconds, times in batches
    ]
    return sum(each) / assumed.batch


def _batch_ms(function: Function, cpu_ms: float, trips: int, answer_ms: float, assumed: Assumed) -> float:
    """How long a batch takes: its messages wait together and compute in turn, on the share of a vCPU they get."""
    return assumed.batch * cpu_ms * VCPU_MB / function.memory_mb + trips * assumed.dynamodb_ms + answer_ms


def _gb_seconds(function: Function, milliseconds: float) -> float:
    return milliseconds / 1000 * function.memory_mb / 1024
