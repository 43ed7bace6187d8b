"""What EventBridge Scheduler sends: `{"schedule": name, "at": ISO 8601 time}`."""

from datetime import datetime
from typing import Any

from callmissed.clock import SECOND


def at_micros(event: dict[str, Any]) -> int:
    """The schedule's time in epoch microseconds. Raises KeyError, ValueError."""
    return int(datetime.fromisoformat(event["at"]).timestamp() * SECOND)
