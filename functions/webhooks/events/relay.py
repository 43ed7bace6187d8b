"""The relay: publishes the outbox's stream on the event bus, at least once, in the stream's order."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callmissed.aws.batches import Change
from callmissed.observability import get_logger

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

_BATCH = 10
_TRIES = 3
_DETAILS = ("id", "tenant", "type", "created", "bot_id")
_logger = get_logger("event-relay")


class Relay:
    """Puts events on a stage's bus: id, tenant, type, time and bot. An event's body stays in the outbox."""

    def __init__(self, bus: str, events: "EventBridgeClient") -> None:
        self._bus = bus
        self._events = events

    async def publish(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Publish the new items of `changes`; returns the first one that the bus did not accept, and all after it."""
        new = [change for change in changes if change.operation == "INSERT"]
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            taken = await asyncio.to_thread(self._put, batch)
            if taken < len(batch):
                return new[start + taken :]
        return []

    def _put(self, batch: Sequence[Change]) -> int:
        """Number of accepted events from the beginning of the batch; a refused event is retried alone."""
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
        detail = {name: item[name] for name in _DETAILS if name in item}
        return {
            "EventBusName": self._bus,
            "Source": item["source"],
            "DetailType": item["type"],
            "Detail": json.dumps(detail),
        }
