"""Tests: one signed POST to an endpoint, which is neither repeated nor stored."""

import json
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import iso
from callmissed.ids import sortable_id
from functions.webhooks.delivery.attempts import Attempting

TYPE = "test"
_MESSAGE = "This is a test of your webhook. Nothing happened."


async def attempt_test(attempts: Attempting, webhook: Item, now: int) -> dict[str, Any]:
    """What the webhook's endpoint answers to a test at `now` (epoch microseconds)."""
    content = {"event": TYPE, "timestamp": iso(now), "data": {"message": _MESSAGE}}
    body = json.dumps(content, separators=(",", ":"))
    outcome = await attempts.make(webhook, delivery_id=f"dlv_{sortable_id(now)}", event_type=TYPE, body=body, now=now)
    return {
        "success": outcome.delivered,
        "status_code": outcome.status,
        "latency_ms": outcome.latency_ms,
        "error": outcome.error,
    }
