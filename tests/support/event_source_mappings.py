"""Event source mappings that poll while a test waits for calls."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from local.lambda_runtime.event_source_mappings import EventSourceMapping, EventSourceMappings
from tests.support.local_handlers import CALLS

GUARD_SECONDS = 60


def wait_for(condition: Callable[[], Any]) -> None:
    """Return when `condition` holds."""
    give_up = time.monotonic() + GUARD_SECONDS
    while not condition():
        assert time.monotonic() < give_up, CALLS
        time.sleep(0.02)


@contextmanager
def polling(mapping: EventSourceMapping) -> Generator[None]:
    """Let `mapping` poll during the block."""
    mappings = EventSourceMappings([mapping])
    CALLS.clear()
    mappings.start()
    yield
    mappings.stop()
