"""Processes that die at any step, between any two requests."""

import random
from typing import Any

from tests.support.interleaving import InterleavingDynamoDB

_READS = ("BatchGetItem", "GetItem", "Query")


class ProcessDied(BaseException):
    """The process died. Nothing in the product may catch it."""


class CrashPlan:
    """Decides at which steps processes die: at the numbered ones, or at a random share of all."""

    def __init__(self, *numbers: int, share: float = 0.0, seed: int = 0) -> None:
        self.steps = 0
        self.changing: list[int] = []
        """Numbers of the steps around a change. A death at another one is the same as at the change before it."""
        self.deaths = 0
        self._numbers = frozenset(numbers)
        self.share = share
        self._random = random.Random(seed)

    def step(self, *, changes: bool = True) -> None:
        """One more step is about to begin, or was just done. Raises ProcessDied."""
        self.steps += 1
        self.changing += [self.steps] if changes else []
        if self.steps in self._numbers or self._random.random() < self.share:
            self.deaths += 1
            raise ProcessDied(self.steps)


class CrashingDynamoDB(InterleavingDynamoDB):
    """A client whose process may die before a request leaves, and after it was applied."""

    def __init__(self, endpoint: str, crash_plan: CrashPlan) -> None:
        super().__init__(endpoint, timeout_seconds=60.0)
        self._crash_plan = crash_plan

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        changes = operation not in _READS
        self._crash_plan.step(changes=changes)
        answer = await super().send(operation, payload)
        self._crash_plan.step(changes=changes)
        return answer
