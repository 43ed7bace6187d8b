"""A DynamoDB client whose process dies at one of its requests, or loses that request's answer."""

from enum import StrEnum
from typing import Any

from callmissed.aws.dynamodb import DynamoDB, Unavailable


class Death(StrEnum):
    """What happens at the chosen request."""

    BEFORE = "dies before it"
    AFTER = "dies after it"
    LOST = "loses its answer"


class ProcessDied(BaseException):
    """The process ends here. Nothing of the product catches it."""


class DyingDynamoDB(DynamoDB):
    """Counts its requests; at number `step` of them `death` happens."""

    def __init__(self, endpoint: str, step: int, death: Death) -> None:
        super().__init__("us-east-1", endpoint, timeout_seconds=30.0)
        self.requests = 0
        self.step = step
        self.death = death

    @property
    def was_met(self) -> bool:
        """Whether the chosen request was sent."""
        return self.requests >= self.step

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        """One try of one request."""
        self.requests += 1
        if self.requests != self.step:
            return await super().send(operation, payload)
        if self.death is Death.BEFORE:
            raise ProcessDied
        answer = await super().send(operation, payload)
        if self.death is Death.LOST:
            raise Unavailable(operation, indeterminate=True)
        del answer
        raise ProcessDied
