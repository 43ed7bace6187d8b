"""Tests: one signed POST to an endpoint, which is neither repeated nor stored."""

import json
from typing import Any, Protocol

from callmissed.aws.attributes import Item
from callmissed.clock import iso
from callmissed.ids import sortable_id

TYPE = "test"
_MESSAGE = "This is a test of your webhook. Nothing happened."


class Outcome(Protocol):
    """What came of one attempt. `status` is None where no answer came; `error` is fit for a tenant."""

    @property
    def status(self) -> int | None:
        """HTTP status."""
        ...

    @property
    def latency_ms(self) -> int:
        """From the first byte sent to the end of the answer, in milliseconds."""
        ...

    @property
    def error(self) -> str | None:
        """Why it failed; None for a status below 300."""
        ...


class Posting(Protocol):
    """Makes one attempt."""

    async def __call__(self, webhook: Item, *, delivery_id: str, event_type: str, body: bytes) -> Outcome:
        """POST `body`, signed with the live secrets of `webhook` (an item of the table `webhooks`), to its URL."""
        ...


async def attempt_test(post: Posting, webhook: Item, now: int) -> dict[str, Any]:
    """What the webhook's endpoint answers to a test at `now` (epoch microseconds)."""
    content = {"event": TYPE, "timestamp": iso(now), "data": {"message": _MESSAGE}}
    body = json.dumps(content, separators=(",", ":")).encode()
    outcome = await post(webhook, delivery_id=f"dlv_{sortable_id(now)}", event_type=TYPE, body=body)
    success = outcome.status is not None and 200 <= outcome.status < 300
    return {
        "success": success,
        "status_code": outcome.status,
        "latency_ms": outcome.latency_ms,
        "error": outcome.error,
    }
