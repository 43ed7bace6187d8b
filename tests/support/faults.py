"""A DynamoDB client whose requests go wrong on demand.

The fault model: a request whose answer was lost may have been applied, may never be, or may be applied once at any
later time, when other requests have come between. A process may die around any request.
"""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import Any

from hypothesis import strategies as st

from callmissed.aws.dynamodb import DynamoError, Unavailable, _failure
from tests.support.interleaving import InterleavingDynamoDB


class Crash(BaseException):
    """The process died. Nothing in the product may catch it."""


class Fault(Enum):
    """What happens to one request."""

    LOSE_ANSWER = auto()
    LOSE_REQUEST = auto()
    DELAY = auto()
    THROTTLE = auto()
    CONFLICT = auto()
    DIE_BEFORE = auto()
    DIE_AFTER = auto()
    DIE_IN_FLIGHT = auto()


FAULTS = st.just(()) | st.lists(st.sampled_from([None, *Fault]), min_size=1, max_size=5)
"""Fates of the next requests, in order; those after them fare well."""

_BEFORE = {Fault.LOSE_REQUEST, Fault.DIE_BEFORE}
_IN_FLIGHT = {Fault.DELAY, Fault.DIE_IN_FLIGHT}
_DEADLY = {Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.DIE_IN_FLIGHT}
_READS = {"BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"}

Observer = Callable[[dict[str, Any]], Awaitable[None]]


class FaultyDynamoDB(InterleavingDynamoDB):
    """Injects `faults` into `send`, keeps delayed requests in `late`, and shows every write that arrived."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.faults: deque[Fault | None] = deque()
        self.late: list[tuple[str, bytes]] = []
        self.arrived: Observer | None = None

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.THROTTLE:
            raise _failure(400, _refusal("ProvisionedThroughputExceededException"))
        if fault is Fault.CONFLICT:
            raise _failure(400, _conflict(operation))
        if fault in _IN_FLIGHT and operation not in _READS:
            self.late.append((operation, payload))
        elif fault not in _IN_FLIGHT | _BEFORE:
            answer = await self._deliver(operation, payload)
            if fault is None:
                return answer
        if fault in _DEADLY:
            raise Crash(fault)
        raise Unavailable("injected", indeterminate=True)

    async def deliver_late(self, index: int) -> None:
        """Let a delayed request arrive now; nobody hears its answer."""
        operation, payload = self.late.pop(index % len(self.late))
        try:
            await self._deliver(operation, payload)
        except DynamoError:
            return

    def forget(self) -> None:
        """No more faults, and what is still under way is lost."""
        self.faults.clear()
        self.late.clear()

    async def _deliver(self, operation: str, payload: bytes) -> dict[str, Any]:
        try:
            return await super().send(operation, payload)
        finally:
            if self.arrived is not None and operation not in _READS:
                await self.arrived(json.loads(payload))


def tables_in(request: dict[str, Any]) -> set[str]:
    """Physical names of the tables that a write names."""
    parts: Sequence[dict[str, Any]] = [
        part for action in request.get("TransactItems", []) for part in action.values()
    ] or [request]
    return {part["TableName"] for part in parts}


def _refusal(code: str, **more: Any) -> bytes:
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **more}).encode()


def _conflict(operation: str) -> bytes:
    if operation != "TransactWriteItems":
        return _refusal("TransactionConflictException")
    return _refusal("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}])
