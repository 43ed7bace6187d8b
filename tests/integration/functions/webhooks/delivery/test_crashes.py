"""Processes die at every single step between the outbox and the record of an attempt: nothing is lost."""

from collections.abc import Callable, Sequence

import pytest

from callmissed.aws.queues import Message
from callmissed.clock import SECOND, Micros
from functions.webhooks.storage.records import Endpoint
from tests.support.webhooks.crashes import CrashPlan, ProcessDied
from tests.support.webhooks.simulation import Simulation, ok, status

MINUTES = 1 / 24 / 60
New = Callable[[CrashPlan], Simulation]
FAILURES = 2
"""Attempts that fail first, so that a life has every kind of step."""


async def one_event(simulation: Simulation, *, failures: int) -> Endpoint:
    """Publish one event to an endpoint that fails its first `failures` attempts, and let all settle."""
    endpoint = await simulation.webhook()
    answers = iter([status(500)] * failures)
    simulation.endpoints.answers[endpoint.webhook] = lambda now: next(answers, ok)(Micros(now))
    await simulation.publish()
    await simulation.run(days=60 * MINUTES)
    return endpoint


async def steps_of(simulation: Simulation, failures: int) -> int:
    """How many steps a life without deaths has."""
    endpoint = await one_event(simulation, failures=failures)
    await simulation.assert_nothing_lost(endpoint)
    assert len(simulation.endpoints.got) == failures + 1
    return simulation.crash_plan.steps


async def test_a_death_at_any_step_loses_nothing(new_simulation: New) -> None:
    steps = await steps_of(new_simulation(CrashPlan()), FAILURES)
    repeated = 0
    for number in range(1, steps + 1):
        simulation = new_simulation(CrashPlan(number))
        endpoint = await one_event(simulation, failures=FAILURES)
        await simulation.run(days=60 * MINUTES)

        assert simulation.crash_plan.deaths == 1, number
        await simulation.assert_nothing_lost(endpoint)
        repeated += len(simulation.endpoints.got) - (FAILURES + 1) > 0

    assert steps >= 12
    assert 1 <= repeated <= steps // 2  # only a death between an attempt and its record repeats the attempt


async def test_a_worker_that_died_before_it_sent_the_next_job_delays_no_attempt(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job comes again after three minutes and sends the next one; the scheduler would be 15 minutes late."""
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(503, wait=600)
    send, deaths = simulation.jobs.send, list[int]()

    async def dying(messages: Sequence[Message]) -> None:
        if messages and messages[0].body["n"] == 1 and not deaths:
            deaths.append(simulation.now)
            raise ProcessDied
        await send(messages)

    monkeypatch.setattr(simulation.jobs, "send", dying)
    await simulation.publish()
    await simulation.run(days=11 * MINUTES)

    first, second = [moment for *_, moment in simulation.endpoints.got]
    assert deaths == [first]
    assert second - first == 600 * SECOND


async def test_random_deaths_lose_nothing(new_simulation: New) -> None:
    simulation = new_simulation(CrashPlan(share=0.02, seed=1))
    endpoints = [await simulation.webhook() for _ in range(2)]
    await simulation.publish(count=100)

    await simulation.run(days=120 * MINUTES)

    assert simulation.crash_plan.deaths > 10
    await simulation.assert_nothing_lost(*endpoints)
    duplicates = len(simulation.endpoints.got) - 200
    assert 0 < duplicates < 40


async def test_deaths_while_parking_and_draining_lose_nothing(new_simulation: New) -> None:
    simulation = new_simulation(CrashPlan(share=0.02, seed=7))
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish(count=30)
    await simulation.run(days=10 * MINUTES)
    await simulation.publish(count=30)
    await simulation.run(days=10 * MINUTES)

    simulation.endpoints.answers[endpoint.webhook] = ok
    await simulation.run(days=1)

    assert simulation.crash_plan.deaths > 5
    await simulation.assert_nothing_lost(endpoint)


async def test_a_bus_that_refuses_gets_the_event_again(simulation: Simulation) -> None:
    endpoint = await simulation.webhook()
    refusals = iter([True, False, True, True])
    simulation.bus.refuses = lambda: next(refusals, False)

    await simulation.publish(count=25)
    await simulation.run(days=1 * MINUTES)

    await simulation.assert_nothing_lost(endpoint)
