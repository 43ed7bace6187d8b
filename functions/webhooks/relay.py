"""The relay: tells the event bus what the outbox's stream tells us, at least once, in the stream's order."""

import asyncio
import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from callmissed.aws.batches import Change, Failures, changes, from_here
from callmissed.aws.clients import client
from callmissed.aws.runtime import run
from callmissed.observability import get_logger
from callmissed.platform.resources import EVENT_BUS
from callmissed.settings import from_environment

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_BATCH = 10
_TRIES = 3
_logger = get_logger("event-relay")


class Relay:
    """Puts events on the bus of one stage. The bus carries what an event is about; its body stays in the outbox."""

    def __init__(self, bus: str, events: "EventBridgeClient") -> None:
        self._bus = bus
        self._events = events

    async def tell(self, told: Sequence[Change]) -> Sequence[Change]:
        """Tell all that is new in `told`; returns those from the first on that the bus did not take."""
        new = [change for change in told if change.operation == "INSERT"]
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            taken = await asyncio.to_thread(self._put, batch)
            if taken < len(batch):
                return new[start + taken :]
        return []

    def _put(self, batch: Sequence[Change]) -> int:
        """How many of the batch, from its beginning, the bus took; what it refuses is tried again by itself."""
        refused, code = list(range(len(batch))), ""
        for _ in range(_TRIES):
            answer = self._events.put_events(Entries=[self._entry(batch[number].item) for number in refused])
            codes = [entry.get("ErrorCode", "") for entry in answer["Entries"]]
            refused, code = [number for number, code in zip(refused, codes, strict=True) if code], max(codes)
            if not refused:
                return len(batch)
        _logger.error("the bus refuses an event", extra={"event": batch[refused[0]].item["id"], "code": code})
        return refused[0]

    def _entry(self, item: dict[str, Any]) -> "PutEventsRequestEntryTypeDef":
        detail = {name: item[name] for name in ("id", "tenant", "type", "created")}
        return {
            "EventBusName": self._bus,
            "Source": item["source"],
            "DetailType": item["type"],
            "Detail": json.dumps(detail),
        }


def handler(event: dict[str, Any], _context: object) -> Failures:
    """Relay a batch of the outbox's stream. Raises botocore's errors, so that Lambda tries the batch again."""
    return from_here(run(_relay().tell(changes(event))))


@cache
def _relay() -> Relay:
    settings = from_environment()
    return Relay(EVENT_BUS.physical_name(settings.stage), client("events", settings))
