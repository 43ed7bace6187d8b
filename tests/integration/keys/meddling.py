"""A DynamoDB client that lets something else happen at a chosen moment, and one that everything else goes through."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from callmissed.aws.dynamodb import DynamoDB

Act = Callable[[], Awaitable[object]]


class Meddler(DynamoDB):
    """Runs `acts` of an operation, one each, just before that operation is sent; counts what it sends."""

    def __init__(self, endpoint: str) -> None:
        super().__init__("us-east-1", endpoint, timeout_seconds=30.0)
        self.acts: dict[str, list[Act]] = {}
        self.sent: Counter[str] = Counter()

    def before(self, operation: str, *acts: Act) -> None:
        """Let each of `acts` happen before one of the next requests of `operation`."""
        self.acts[operation] = list(acts)

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        if self.acts.get(operation):
            await self.acts[operation].pop(0)()
        self.sent[operation] += 1
        return await super().send(operation, payload)
