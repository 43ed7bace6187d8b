"""What is going to happen, in the order of its moments."""

import heapq
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[None]]


class Agenda:
    """Works by their moments. Those of one moment happen in the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Work]] = []
        self._count = 0

    def at(self, moment: int, work: Work) -> None:
        """Let `work` happen."""
        self._count += 1
        heapq.heappush(self._heap, (moment, self._count, work))

    def next(self, before: int) -> tuple[int, Work] | None:
        """Take out what comes next, if it comes before a moment."""
        if not self._heap or self._heap[0][0] >= before:
            return None
        moment, _, work = heapq.heappop(self._heap)
        return moment, work
