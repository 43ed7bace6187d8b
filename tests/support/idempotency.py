"""Long answers in memory, and a clock with hands."""

from dataclasses import dataclass, field

from callmissed.clock import SECOND, Micros, system_clock
from callmissed.idempotency.answers import AnswersUnavailable


@dataclass
class Shelf:
    """Keeps answers as S3 would; refuses while it is `shut`."""

    kept: dict[str, bytes] = field(default_factory=dict[str, bytes])
    shut: bool = False

    async def keep(self, name: str, body: bytes) -> None:
        self._check()
        assert name not in self.kept or self.kept[name] == body
        self.kept[name] = body

    async def find(self, name: str) -> bytes:
        self._check()
        return self.kept[name]

    def _check(self) -> None:
        if self.shut:
            raise AnswersUnavailable("shut")


@dataclass
class Hands:
    """A clock that stands until it is turned. Microseconds since the epoch."""

    at: int = field(default_factory=system_clock)

    def __call__(self) -> Micros:
        return Micros(self.at)

    def turn(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)
