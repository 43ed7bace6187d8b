"""DynamoDB does what it is asked and its answer gets lost: the request is sent again, and nothing is left out."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from callmissed.aws import dynamodb
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import Micros
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table
from functions.webhooks.storage.records import Endpoint, State
from tests.support.stride import some
from tests.support.webhooks.crashes import CrashPlan
from tests.support.webhooks.simulation import Simulation, ok, status

MINUTES = 1 / 24 / 60
New = Callable[[CrashPlan], Simulation]


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is what is sent again, not how long the client waits before it."""
    monkeypatch.setattr(dynamodb, "_BACKOFF_SECONDS", 0.0)


class Answers:
    """Loses the answer to the `lost`-th request that the processes of `simulation` make."""

    def __init__(self, simulation: Simulation, monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
        self.asked = 0
        self._lost = lost
        self._send = simulation.database.dynamodb.send
        monkeypatch.setattr(simulation.database.dynamodb, "send", self.send)

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        self.asked += 1
        number = self.asked
        answer = await self._send(operation, payload)
        if number == self._lost:
            raise Unavailable("the answer was lost", indeterminate=True)
        return answer


async def one_event(simulation: Simulation) -> Endpoint:
    """Publish one event to an endpoint that fails once."""
    endpoint = await simulation.webhook()
    answers = iter([status(500)])
    simulation.endpoints.answers[endpoint.webhook] = lambda now: next(answers, ok)(Micros(now))
    await simulation.publish()
    await simulation.run(days=60 * MINUTES)
    return endpoint


async def one_parked_event(simulation: Simulation) -> Endpoint:
    """Publish one event to a webhook that is paused, and resumed later."""
    endpoint = await simulation.webhook(active=False)
    await simulation.publish()
    await simulation.run(days=2 * MINUTES)
    await _activate(simulation, endpoint, active=True)
    await simulation.repository.deliveries.mark_parked(endpoint, Micros(simulation.now))
    await simulation.run(days=60 * MINUTES)
    return endpoint


async def one_parked_retry(simulation: Simulation) -> Endpoint:
    """Publish one event to a webhook that is paused after its first attempt, and resumed later."""
    endpoint = await simulation.webhook()
    simulation.endpoints.answers[endpoint.webhook] = status(500)
    await simulation.publish()
    await simulation.run()
    await _activate(simulation, endpoint, active=False)
    await simulation.run(days=0.5 * MINUTES)
    await _activate(simulation, endpoint, active=True)
    simulation.endpoints.answers[endpoint.webhook] = ok
    await simulation.run(days=60 * MINUTES)
    return endpoint


@pytest.mark.parametrize("story", [one_event, one_parked_event, one_parked_retry])
async def test_a_lost_answer_anywhere_loses_no_delivery(
    new_simulation: New, monkeypatch: pytest.MonkeyPatch, story: Callable[[Simulation], Any]
) -> None:
    simulation = new_simulation(CrashPlan())
    answers = Answers(simulation, monkeypatch, lost=0)
    await simulation.assert_nothing_lost(await story(simulation))
    attempts = len(simulation.endpoints.got)

    for number in some(range(1, answers.asked + 1)):
        simulation = new_simulation(CrashPlan())
        Answers(simulation, monkeypatch, lost=number)
        endpoint = await story(simulation)

        assert await simulation.states(endpoint) == {State.DELIVERED: 1}, number
        assert len(simulation.endpoints.got) == attempts, number


async def test_an_event_that_a_replica_does_not_know_yet_is_not_given_up(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await simulation.webhook()
    send = simulation.database.dynamodb.send

    async def lagging(operation: str, payload: bytes) -> dict[str, Any]:
        answer = await send(operation, payload)
        for table, asked in json.loads(payload).get("RequestItems", {}).items():
            if not asked["ConsistentRead"]:
                answer["Responses"][table] = []
        return answer

    monkeypatch.setattr(simulation.database.dynamodb, "send", lagging)
    await simulation.publish()
    await simulation.run()

    await simulation.assert_nothing_lost(endpoint)


@pytest.mark.parametrize("table", [WEBHOOKS, DELIVERIES, OUTBOX], ids=lambda table: table.name)
async def test_what_a_busy_partition_leaves_out_is_asked_for_again(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    endpoint = await simulation.webhook()
    send, name = simulation.database.dynamodb.send, simulation.database.name(table)

    async def busy(operation: str, payload: bytes) -> dict[str, Any]:
        answer = await send(operation, payload)
        if operation == "BatchGetItem":
            answer["Responses"].pop(name)
            answer["UnprocessedKeys"] = {name: json.loads(payload)["RequestItems"][name]}
        return answer

    monkeypatch.setattr(simulation.database.dynamodb, "send", busy)
    await simulation.publish()
    await simulation.run()

    await simulation.assert_nothing_lost(endpoint)


async def _activate(simulation: Simulation, endpoint: Endpoint, *, active: bool) -> None:
    assert await simulation.database.update_if(WEBHOOKS, endpoint.key, set={"active": active})


async def test_a_put_whose_first_try_was_not_answered_returns_what_another_process_wrote(
    simulation: Simulation,
) -> None:
    key = {"webhook": "tnt_1#wh_1", "item": "D#dlv_1"}
    other = {**key, "n": 1}

    async def lose() -> None:
        await simulation.tables.put(DELIVERIES, other)
        raise Unavailable("the answer was lost", indeterminate=True)

    simulation.dynamodb.before("PutItem", lose)

    assert await simulation.database.put_new(DELIVERIES, {**key, "n": 0}) == other
