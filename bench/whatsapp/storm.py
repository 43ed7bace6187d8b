"""The course of a soak: everything goes wrong at once, and then nothing more."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bench.whatsapp.callbacks import CallbackRelay
from bench.whatsapp.fleet import Fleet
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.scenario import Customer, PlannedText
from callmissed.clock import MINUTE, Micros, iso
from callmissed.platform.functions.bots import TURN_SCHEDULER
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.faults import FaultKind
from tests.support.aws.dynamodb_proxy import DynamoProxy, Fault, Step

GRAPH_FAULTS: Sequence[tuple[FaultKind, float, dict[str, Any]]] = (
    (FaultKind.LOSE_ANSWER, 0.02, {}),
    (FaultKind.HALF_ANSWER, 0.01, {}),
    (FaultKind.GARBLED_ANSWER, 0.01, {}),
    (FaultKind.LOSE_REQUEST, 0.02, {}),
    (FaultKind.SERVER_ERROR, 0.01, {}),
    (FaultKind.ERROR, 0.02, {"code": 130429}),
    (FaultKind.ERROR, 0.01, {"code": 131026}),
    (FaultKind.SLOW, 0.01, {"seconds": 0.2}),
    (FaultKind.FAILED_STATUS, 0.02, {"code": 131026}),
    (FaultKind.NO_STATUS, 0.03, {}),
    (FaultKind.DUPLICATE, 0.1, {}),
    (FaultKind.REORDER, 0.1, {}),
    (FaultKind.REGROUP, 0.1, {}),
)
_DYNAMODB_FAULTS = (Fault.LOSE_ANSWER, Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.THROTTLE, Fault.FAIL)
_STEPS = (Step.OTHER, Step.OTHER, Step.OTHER, Step.HOLD, Step.ENTRY, Step.APPLY, Step.BEGIN, Step.COMPLETE)
_REQUESTS_PER_FAULT = 60
_STEP_SECONDS = 0.004
_MAX_SETTLING = 60
"""Minutes, of simulated time, in which everything must settle."""


class Storm:
    """Moves time, brings callbacks, runs the schedule, and plans faults."""

    def __init__(
        self,
        clock: MovedClock,
        graph: FakeGraph,
        relay: CallbackRelay,
        fleet: Fleet,
        proxy: DynamoProxy,
        draw: random.Random,
    ) -> None:
        self.faults = 0
        self.graph_faults: list[dict[str, Any]] = []
        self._clock = clock
        self._graph = graph
        self._relay = relay
        self._fleet = fleet
        self._proxy = proxy
        self._draw = draw
        self._minute = clock() + MINUTE
        self._fault_at = 0

    async def rage(self, people: Sequence[Customer], arrivals: Sequence[PlannedText]) -> None:
        """Let the people write, with every fault there is."""
        for kind, probability, fields in GRAPH_FAULTS:
            self._graph.fault(kind, times=None, probability=probability, **fields)
        waiting = deque(arrivals)
        while waiting or not self._is_quiet():
            self._plan_fault()
            while waiting and waiting[0].at <= self._clock():
                arrival = waiting.popleft()
                customer = people[arrival.customer]
                customer.said.append(customer.phone.say(arrival.text))
            await self._step(waiting[0].at if waiting else None)
        self._proxy.release()
        self.graph_faults = self._graph.faults
        self._graph.clear_faults()
        self._fleet.safe = True
        for queue in self._fleet.queues.values():
            queue.twice = 0

    async def settle(self, waits: Callable[[], Awaitable[bool]]) -> bool:
        """Let everything settle; False if something `waits` for work for ever."""
        end = self._clock() + _MAX_SETTLING * MINUTE
        while self._clock() < end:
            last = self._minute
            while self._minute == last or not self._is_quiet():
                await self._step(None)
            if not await waits() and not self._jobs_wait():
                return True
        return False

    async def _step(self, arrival_at: int | None) -> None:
        self._fleet.failed()
        for callback in self._graph.take():
            self._relay.put(callback)
        if self._clock() >= self._minute:
            self._minute = Micros(self._minute + MINUTE)
            self._fleet.queues[TURN_SCHEDULER.name].put({"at": iso(self._clock())})
        if self._is_quiet():
            moments = [self._minute, arrival_at, *(queue.next_at for queue in self._fleet.queues.values())]
            self._clock.jump(min(moment for moment in moments if moment is not None))
        await asyncio.sleep(_STEP_SECONDS)

    def _is_quiet(self) -> bool:
        """Whether nothing is under way, so that time may pass."""
        now = self._clock()
        ready = any(queue.next_at is not None and queue.next_at <= now for queue in self._fleet.queues.values())
        if ready or self._fleet.busy or not self._relay.is_idle:
            return False
        try:
            self._graph.wait_idle(0)
        except TimeoutError:
            return False
        return True

    def _jobs_wait(self) -> bool:
        return any(queue.next_at is not None for queue in self._fleet.queues.values())

    def _plan_fault(self) -> None:
        """Let one of the next requests of a step go wrong, again and again."""
        seen = len(self._proxy.seen)
        if seen >= self._fault_at:
            self._fault_at = seen + self._draw.randrange(1, 2 * _REQUESTS_PER_FAULT)
            self._proxy.plan(self._draw.choice(_DYNAMODB_FAULTS), self._draw.choice(_STEPS), times=1)
            self.faults += 1
