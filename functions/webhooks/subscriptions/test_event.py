"""Test events: one signed POST to an endpoint, without retries and storage."""

import json

from callmissed.clock import Micros, iso
from callmissed.ids import sortable_id
from functions.webhooks.delivery.attempts import Attempting, AttemptOutcome
from functions.webhooks.storage.records import Webhook

TYPE = "test"
_MESSAGE = "This is a test of your webhook. Nothing happened."


async def send_test_event(attempts: Attempting, webhook: Webhook, now: Micros) -> AttemptOutcome:
    """The outcome of a test event that is sent at `now`."""
    content = {"event": TYPE, "timestamp": iso(now), "data": {"message": _MESSAGE}}
    body = json.dumps(content, separators=(",", ":"))
    return await attempts.make(webhook, delivery_id=f"dlv_{sortable_id(now)}", event_type=TYPE, body=body, now=now)
