"""What EventBridge Scheduler sends: `{"schedule": name, "at": ISO 8601 time}`."""

from datetime import datetime
from typing import Any

from callmissed.clock import SECOND, Micros


def at_micros(event: dict[str, Any]) -> Micros:
    """The schedule's time. Raises KeyError, ValueError."""
    return Micros(int(datetime.fromisoformat(event["at"]).timestamp() * SECOND))
