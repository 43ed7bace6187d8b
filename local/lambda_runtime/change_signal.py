"""A signal between the threads of one process."""

import threading


class ChangeSignal:
    """Set when tables may have been written to, so that readers of streams need not poll often."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def notify(self) -> None:
        """Wake every thread that waits."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float) -> int:
        """The number of notifications, once it differs from `seen` or `seconds` have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, seconds)
            return self._count
