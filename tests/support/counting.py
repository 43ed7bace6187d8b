"""A DynamoDB client that counts: round trips, which of them waited for one another, and units."""

from dataclasses import dataclass, field
from typing import Any

from callmissed.aws.dynamodb import DynamoDB, Exchange

READS = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}
TRANSACTIONS = {"TransactWriteItems", "TransactGetItems"}


@dataclass(slots=True)
class Count:
    """What one call asked of DynamoDB."""

    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    before_upstream: int = 0

    @property
    def operations(self) -> list[str]:
        """Operation and table of each answer, in order."""
        return [f"{exchange.operation} {exchange.table.rpartition('-')[2]}" for exchange in self.exchanges]

    @property
    def units(self) -> float:
        return sum(exchange.capacity for exchange in self.exchanges)

    @property
    def reads(self) -> int:
        return sum(exchange.operation in READS for exchange in self.exchanges)

    @property
    def transactions(self) -> int:
        return sum(exchange.operation in TRANSACTIONS for exchange in self.exchanges)

    @property
    def rounds(self) -> int:
        """The longest chain of requests each of which began after the one before had been answered."""
        chain, last = 0, -1
        for begun, ended in sorted(self.spans, key=lambda span: span[1]):
            if begun > last:
                chain, last = chain + 1, ended
        return chain


class CountingDynamoDB(DynamoDB):
    """Notes every request that is sent, tries included, by a tick that stands for time."""

    def __init__(self, region: str, endpoint: str) -> None:
        super().__init__(region, endpoint, timeout_seconds=20, observe=self._note)
        self.count = Count()
        self._tick = 0

    def restart(self) -> Count:
        """Begin to count anew."""
        self.count = Count()
        return self.count

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        begun = self._next()
        try:
            return await super().send(operation, payload)
        finally:
            self.count.spans.append((begun, self._next()))

    def _note(self, exchange: Exchange) -> None:
        self.count.exchanges.append(exchange)

    def _next(self) -> int:
        self._tick += 1
        return self._tick
