"""One process of the AI library in a test's own loop."""

from dataclasses import dataclass

from callmissed_ai.calls.container import Container
from tests.support.faults import FaultyDynamoDB


@dataclass(frozen=True)
class Process:
    """A container, and the client that its requests go through."""

    container: Container
    dynamodb: FaultyDynamoDB
