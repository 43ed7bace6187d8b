"""What a million deliveries cost, from units that are given."""

from dataclasses import replace

import pytest

from bench.cost import Prices
from bench.delivery import steps
from bench.delivery.cost import (
    DUE_INDEX,
    FAILURE,
    ONE_SHOTS,
    ONE_SHOTS_SAFE,
    SILENCE,
    SUCCESS,
    VCPU_MB,
    WAITED,
    Assumed,
    Path,
    bill,
    long_waits,
    paths,
)
from bench.delivery.units import Units

PRICES = Prices(
    write_units=0.5,
    read_units=0.1,
    rest_api=3.50,
    lambda_requests=0.20,
    lambda_gb_seconds=10.0,
    events=1.00,
    schedules=1.00,
    queue_requests=0.40,
    fair_requests=0.10,
)
ASSUMED = Assumed(dynamodb_ms=5, answer_ms=200, silence_ms=10_000, relay_ms=0, schedule_ms=0)
UNITS = {
    steps.EVENT: Units(table_writes=1),
    steps.FANOUT: Units(table_writes=1, reads=1),
    steps.DELIVERED: Units(table_writes=2, reads=2),
    steps.TEN: Units(table_writes=30, index_writes=20, reads=20),
    steps.LATER: Units(table_writes=3, index_writes=2),
    steps.SCHEDULED: Units(table_writes=1, index_writes=2),
    steps.PARKED: Units(table_writes=2, index_writes=1),
    steps.DRAINED: Units(table_writes=3, index_writes=3),
}


def test_the_classes_add_up_their_steps():
    found = paths(UNITS, ASSUMED)
    assert found[SUCCESS].units == Units(table_writes=4, reads=3)
    assert found[FAILURE].units == found[SILENCE].units == Units(table_writes=32, index_writes=20, reads=21)
    assert found[WAITED].units == Units(table_writes=6, index_writes=4)
    assert [found[name].attempts for name in (SUCCESS, FAILURE, SILENCE, WAITED)] == [1, 10, 10, 1]


def test_a_delivery_pays_for_units_its_event_and_its_queue_requests():
    found = bill(Path(Units(table_writes=4, reads=3), 1, answer_ms=0), PRICES, ASSUMED)
    assert found.dynamodb == pytest.approx(4 * 0.5 + 3 * 0.1)
    assert found.events == 1.00
    assert found.queues == pytest.approx((1 + 0.1 + 0.1) * 0.40 + (1 + 0.1 + 0.1) * 0.50)
    assert found.total == pytest.approx(found.dynamodb + found.events + found.queues + found.compute)


def test_jobs_that_the_scheduler_sends_share_their_requests():
    found = bill(Path(Units(), 10, answer_ms=0, shared=7), PRICES, ASSUMED)
    assert found.queues == pytest.approx(1.2 * 0.40 + (3 + 0.7 + 10 * 0.2) * 0.50)


def test_a_batch_waits_once_and_computes_in_turn():
    assumed = replace(ASSUMED, dynamodb_ms=0, attempt_cpu_ms=2.0)
    found = bill(Path(Units(), 1, answer_ms=100), PRICES, assumed)
    seconds = (10 * 2.0 * VCPU_MB / 512 + 100) / 1000
    assert found.compute == pytest.approx((3 * 0.20 + seconds * 0.5 * 10.0) / 10)


def test_without_batches_each_delivery_waits_for_itself():
    path = Path(Units(), 1, answer_ms=10_000)
    together, alone = (bill(path, PRICES, replace(ASSUMED, batch=batch)) for batch in (10, 1))
    assert alone.compute == pytest.approx(10 * together.compute)
    assert alone.queues == pytest.approx(3 * 0.40 + 3 * 0.50)


def test_the_ways_of_waiting_long_are_compared():
    found = long_waits(UNITS, PRICES, ASSUMED)
    assert found[DUE_INDEX] == pytest.approx(7 * (5 * 0.5 + 0.05))
    assert found[ONE_SHOTS] == pytest.approx(7 * 1.5)
    assert found[ONE_SHOTS_SAFE] == pytest.approx(7 * (1.5 + 2 * 0.5))
