"""What the API shows of the items of webhooks, deliveries and replays."""

import json
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.clock import iso
from functions.webhooks.storage.records import ATTEMPT, DELIVERY, REPLAY, State, endpoint_of
from functions.webhooks.subscriptions.schemas import MASK


def status_of(webhook: Item) -> str:
    """`disabled` by us, `paused` by its owner, or `active`."""
    if webhook.get("off"):
        return "disabled"
    return "active" if webhook["active"] else "paused"


def webhook_object(webhook: Item, secret: str | None = None) -> dict[str, Any]:
    """The webhook, with its `secret` where that is shown in full."""
    status = status_of(webhook)
    return {
        "id": webhook["webhook"],
        "tenant_id": webhook["tenant"],
        "url": webhook["url"],
        "secret": secret or webhook["mask"],
        "events": webhook["events"],
        "description": webhook["description"],
        "headers": dict.fromkeys(webhook["headers"], MASK),
        "is_active": status == "active",
        "status": status,
        "disabled_reason": webhook.get("off"),
        "failing_since": _time(webhook.get("ff")),
        "created_at": iso(webhook["created_at"]),
        "updated_at": iso(webhook["updated_at"]),
    }


def delivery_object(delivery: Item) -> dict[str, Any]:
    """The delivery as lists show it."""
    state, delivered = delivery["state"], delivery["state"] == State.DELIVERED
    return {
        "id": delivery["item"].removeprefix(DELIVERY),
        "webhook_id": endpoint_of(delivery["webhook"]).webhook,
        "event": delivery["type"],
        "event_id": delivery["event"],
        "status": state,
        "status_code": delivery.get("code"),
        "attempts": delivery["n"],
        "success": delivered,
        "error": delivery.get("error"),
        "created_at": iso(delivery["created"]),
        "delivered_at": _time(delivery.get("done")) if delivered else None,
        "next_attempt_at": _time(delivery.get("next")) if state == State.PENDING else None,
        "replay_of": delivery.get("origin"),
    }


def delivery_detail(delivery: Item, attempts: list[Item], event: Item) -> dict[str, Any]:
    """The delivery with its attempts and the body of its `event`, which may be empty."""
    payload = json.loads(event["body"]) if event else None
    return delivery_object(delivery) | {"attempts": [_attempt_object(item) for item in attempts], "payload": payload}


def replay_object(replay: Item) -> dict[str, Any]:
    """A replay and how far it is."""
    return {
        "id": replay["item"].removeprefix(REPLAY),
        "kind": replay["kind"],
        "status": replay["state"],
        "since": iso(replay["since"]),
        "until": iso(replay["until"]),
        "scanned": replay["seen"],
        "queued": replay["queued"],
    }


def _attempt_object(attempt: Item) -> dict[str, Any]:
    return {
        "number": int(attempt["item"].removeprefix(ATTEMPT).partition("#")[2]),
        "at": iso(attempt["at"]),
        "status_code": attempt.get("status"),
        "latency_ms": attempt.get("latency_ms"),
        "error": attempt.get("error"),
        "response_body": attempt.get("answer"),
        "truncated": attempt.get("truncated", False),
    }


def _time(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)
