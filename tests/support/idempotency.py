"""Long answers in memory, and a clock that a test advances."""

from dataclasses import dataclass, field

from callmissed.aws.buckets import BucketUnavailable
from callmissed.clock import SECOND, Micros, system_clock


@dataclass
class MemoryAnswers:
    """Stores answers as S3 would; raises BucketUnavailable while `unavailable`."""

    stored: dict[str, bytes] = field(default_factory=dict[str, bytes])
    unavailable: bool = False

    async def keep(self, name: str, body: bytes) -> None:
        self._check()
        assert name not in self.stored or self.stored[name] == body
        self.stored[name] = body

    async def find(self, name: str) -> bytes:
        self._check()
        return self.stored[name]

    async def remove(self, name: str) -> None:
        self._check()
        self.stored.pop(name, None)

    def _check(self) -> None:
        if self.unavailable:
            raise BucketUnavailable("unavailable")


@dataclass
class ManualClock:
    """A clock that changes only when it is advanced. Microseconds since the epoch."""

    now: int = field(default_factory=system_clock)

    def __call__(self) -> Micros:
        return Micros(self.now)

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
