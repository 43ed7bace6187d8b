"""Exchange of routes' health between processes through DynamoDB, beside the calls (docs/decisions/0020).

One item a route, in one partition of `tenants`. An exchange writes what is new here, unless others know something
newer, then reads what they wrote. At most one runs at a time, it is bounded in time, and no call waits for it: one
that fails, or that Lambda freezes, changes nothing but how soon this process learns.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import at_most, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError
from callmissed.aws.operations import WriteOperation, put_operation
from callmissed.clock import SECOND, Micros
from callmissed.observability import get_logger
from callmissed.platform.tables import TENANTS
from callmissed_ai.routing.breaker import RouteKey
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.routing.speeds import Speed

PARTITION = "#routes"
"""No tenant has this id."""

READ_SECONDS = 5
"""What others wrote is read so often at most, by a process that serves calls."""

SPEED_SECONDS = 60
"""The speed of a route is written so often at most."""

_PAUSE_AFTER_FAILURE_SECONDS = 60
_EXCHANGE_SECONDS = 5.0
_MAX_WRITES = 25
_MAX_ROUTES = 1_000
_SEPARATOR = " "
_logger = get_logger("inference")


class SharedHealth:
    """Shares `health` with the other processes of the stage; implements `Sharing`."""

    def __init__(self, database: Database, health: RouteHealth) -> None:
        self._database = database
        self._health = health
        self._news: dict[RouteKey, None] = {}
        self._written: dict[RouteKey, Micros] = {}
        self._next = 0
        self._exchange: asyncio.Task[None] | None = None

    def poll(self) -> None:
        """See `Sharing.poll`."""
        if self._health.clock() >= self._next:
            self._start()

    def report(self, key: RouteKey, *, urgent: bool) -> None:
        """See `Sharing.report`."""
        now = self._health.clock()
        if not urgent and now < self._written.get(key, 0) + SPEED_SECONDS * SECOND:
            return
        self._written[key] = now
        self._news[key] = None
        if urgent:
            self._start()

    async def close(self) -> None:
        """See `Sharing.close`."""
        exchange, self._exchange = self._exchange, None
        if exchange:
            exchange.cancel()
            await asyncio.wait([exchange])

    async def exchanged(self) -> None:
        """Wait for the exchange that is running, if any."""
        if self._exchange:
            await asyncio.wait([self._exchange])

    def _start(self) -> None:
        if self._exchange is None or self._exchange.done():
            self._next = self._health.clock() + READ_SECONDS * SECOND
            self._exchange = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(_EXCHANGE_SECONDS):
                outdated: list[RouteKey] = []
                while self._news:
                    outdated += await self._write()
                await self._read()
                for key in outdated:  # now with what others know
                    await self._database.put(TENANTS, self._item(key))
        except TimeoutError:
            _logger.warning("the health of routes was not shared in time")
        except DynamoError:
            self._next = self._health.clock() + _PAUSE_AFTER_FAILURE_SECONDS * SECOND
            _logger.warning("the health of routes could not be shared", exc_info=True)

    async def _write(self) -> Sequence[RouteKey]:
        """Write some of the news; returns the routes of which another process wrote something newer.

        News that comes meanwhile is written next; what can't be written is forgotten.
        """
        keys = list(self._news)[:_MAX_WRITES]
        for key in keys:
            del self._news[key]
        return [key for key in keys if not await self._database.write_if(self._unless_outdated(key))]

    def _unless_outdated(self, key: RouteKey) -> WriteOperation:
        """The write of a route whose stored circuit and wait are not newer: this process may have been frozen."""
        item = self._item(key)
        known = {name: missing_or(at_most(item.get(name, 0))) for name in ("changed", "wait_until")}
        return put_operation(TENANTS, item, expected=known)

    async def _read(self) -> None:
        items = self._database.query(TENANTS, PARTITION)
        count = 0
        async for item in items:
            count += 1
            if count > _MAX_ROUTES:
                break
            for key, shared in _shared(item):
                self._learn(key, shared)

    def _item(self, key: RouteKey) -> Item:
        circuit, speed = self._health.breaker.circuit(key), self._health.speeds.of(key)
        fields: Mapping[str, int | None] = {
            "open_until": circuit.open_until if circuit.is_tripped else 0,
            "wait_until": circuit.wait_until,
            "changed": circuit.changed,
            "written": self._health.clock(),
            "begins_ms": _whole(speed.begins_ms),
            "tokens_per_second": _whole(speed.tokens_per_second),
        }
        filled = {name: value for name, value in fields.items() if value}
        return {"tenant": PARTITION, "item": _SEPARATOR.join(key), **filled}

    def _learn(self, key: RouteKey, shared: Mapping[str, int]) -> None:
        open_until, wait_until, changed = (shared.get(name, 0) for name in ("open_until", "wait_until", "changed"))
        self._health.breaker.learn(key, Micros(open_until), Micros(wait_until), Micros(changed))
        if shared.get("written", 0) > self._written.get(key, 0):
            speed = Speed(shared.get("begins_ms"), shared.get("tokens_per_second"))
            self._health.speeds.learn(key, speed)


def _shared(item: Mapping[str, Any]) -> Iterator[tuple[RouteKey, Mapping[str, int]]]:
    """The route of an item, with its numbers; nothing for what is not of ours."""
    provider, _, upstream_id = str(item.get("item", "")).partition(_SEPARATOR)
    if upstream_id:
        yield (provider, upstream_id), {name: value for name, value in item.items() if isinstance(value, int)}


def _whole(value: float | None) -> int | None:
    return None if value is None else max(1, round(value))
