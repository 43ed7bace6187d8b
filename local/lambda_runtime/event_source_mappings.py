"""The threads that poll queues and streams, and call functions with what they find."""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

_logger = logging.getLogger("callmissed.local")
_PAUSE_SECONDS = 1.0


class EventSourceMapping(Protocol):
    """A queue or stream that calls one function."""

    @property
    def name(self) -> str:
        """Name of the source, for the log."""
        ...

    def poll(self) -> None:
        """Wait for work for a while, and call the function with it. May raise any exception."""
        ...


class EventSourceMappings:
    """One thread for each of `mappings`, from `start` until `stop`. A poll that raises is logged and repeated."""

    def __init__(self, mappings: Sequence[EventSourceMapping]) -> None:
        self._mappings = mappings
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start to poll."""
        for mapping in self._mappings:
            threading.Thread(target=self._run, args=(mapping,), name=f"mapping {mapping.name}", daemon=True).start()

    def stop(self) -> None:
        """Start no more polls. A poll that waits ends with the process: an engine's long poll can't be cancelled."""
        self._stopped.set()

    def _run(self, mapping: EventSourceMapping) -> None:
        while not self._stopped.is_set():
            try:
                mapping.poll()
            except SystemExit:  # the functions can't be called any more
                return
            except Exception:
                if not self._stopped.wait(_PAUSE_SECONDS):
                    _logger.exception("reading %s failed", mapping.name)
