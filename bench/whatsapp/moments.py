"""Simulated time: the machine's clock, which jumps ahead while nothing is under way."""

from callmissed.clock import SECOND, Micros, system_clock


class MovedClock:
    """The machine's clock, `ahead` by some microseconds."""

    def __init__(self, ahead: int = 0) -> None:
        self.ahead = ahead

    def __call__(self) -> Micros:
        """Now."""
        return Micros(system_clock() + self.ahead)

    def seconds(self) -> float:
        """Now, in epoch seconds."""
        return self() / SECOND

    def jump(self, moment: int) -> None:
        """Let it be `moment`, unless that is over."""
        self.ahead += max(0, moment - self())
