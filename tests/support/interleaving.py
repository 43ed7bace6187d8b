"""A DynamoDB client with a seam between a read and the write that rests on it."""

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from callmissed.aws.dynamodb import DynamoDB

Action = Callable[[], Awaitable[object]]
Matches = Callable[[dict[str, Any]], bool]


def _any_request(_request: dict[str, Any]) -> bool:
    return True


class InterleavingDynamoDB(DynamoDB):
    """Runs actions just before a request of its own is sent, as another process would, and counts what it sends.

    An action that uses this client itself is not interrupted again by the action it is part of.
    """

    def __init__(self, endpoint: str, *, timeout_seconds: float = 30.0) -> None:
        super().__init__("us-east-1", endpoint, timeout_seconds=timeout_seconds)
        self.endpoint = endpoint
        self.sent: Counter[str] = Counter()
        self._actions: defaultdict[str, list[tuple[Matches, Action]]] = defaultdict(list)

    def before(self, operation: str, *actions: Action, matching: Matches = _any_request) -> None:
        """Let each of `actions` happen before one of the next requests of `operation` that `matching` selects."""
        self._actions[operation] += [(matching, action) for action in actions]

    def forget_actions(self) -> None:
        """No action happens any more."""
        self._actions.clear()

    @property
    def pending(self) -> int:
        """Actions that no request has reached: 0 at the end of a test that proves anything."""
        return sum(map(len, self._actions.values()))

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        await self._interleave(operation, payload)
        self.sent[operation] += 1
        return await super().send(operation, payload)

    async def _interleave(self, operation: str, payload: bytes) -> None:
        waiting = self._actions[operation]
        if not waiting:
            return
        request = json.loads(payload)
        for index, (matches, action) in enumerate(waiting):
            if matches(request):
                del waiting[index]
                await action()
                return
