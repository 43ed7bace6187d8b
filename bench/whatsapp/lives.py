"""Lives of processes: each ends by SIGKILL around a request that its seed chooses."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from callmissed.aws.dynamodb import DynamoDB
from callmissed.http.client import SafeClient
from functions.bots.channels.whatsapp.graph import GraphClient, JsonObject

T = TypeVar("T")
_PATIENCE_SECONDS = 20.0
_MAX_FLIGHT_SECONDS = 0.005


class Life:
    """Counts the requests of this process. About one in `requests` ends it; never, while it is `safe`."""

    def __init__(self, seed: str, requests: float) -> None:
        self.safe = False
        self._random = random.Random(seed)
        self._left = self._random.expovariate(1 / requests)

    async def during(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make the request. The process may die before it leaves, while it is under way, or once it is answered."""
        self._left -= 1
        if self.safe or self._left > 0:
            return await request()
        match self._random.randrange(3):
            case 0:
                _die()
            case 1:
                asyncio.get_running_loop().call_later(self._random.uniform(0, _MAX_FLIGHT_SECONDS), _die)
            case _:
                pass
        await request()
        _die()
        raise AssertionError("the process lives")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class MortalDynamoDB(DynamoDB):
    """A client in whose requests the process may die."""

    def __init__(self, region: str, endpoint: str | None, life: Life) -> None:
        super().__init__(region, endpoint, timeout_seconds=_PATIENCE_SECONDS)
        self._life = life

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        """As `DynamoDB.send`."""
        sending = super().send
        return await self._life.during(lambda: sending(operation, payload))


class MortalGraph(GraphClient):
    """A client in whose sends the process may die."""

    def __init__(self, graph_url: str, client: SafeClient, life: Life) -> None:
        super().__init__(graph_url, client)
        self._life = life

    async def post(self, path: str, token: str, body: JsonObject) -> JsonObject:
        """As `GraphClient.post`."""
        posting = super().post
        return await self._life.during(lambda: posting(path, token, body))
