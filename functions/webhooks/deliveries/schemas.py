"""API models of deliveries; docs/api/openapi.json is made from them."""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from callmissed.clock import Micros, iso
from callmissed.events.outbox import Event
from callmissed.events.types import PATTERNS, is_pattern
from functions.webhooks.deliveries.service import Page
from functions.webhooks.storage.records import Attempt, Delivery, State

TIME = "2026-11-25T09:30:00.000Z"
WEBHOOK_ID = "wh_5a3e1c9d7f20b4886e11d0aa"
EVENTS = "Event types, or filters such as `voice_session.*` and `*` for all."
_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)
_DELIVERY_ID = "dlv_01KAWXYZ00ABCDEFGHJKMN"


def _known(pattern: str) -> str:
    if not is_pattern(pattern):
        raise ValueError("There is no such event type. See GET /api/v1/webhooks/event-types")
    return pattern


def _written(moment: object) -> object:
    """Refuse numbers, which would be read as seconds since 1970."""
    if isinstance(moment, str) and _DATE_AND_TIME.match(moment):
        return moment
    raise ValueError("A time is written as in 2026-11-25T09:30:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A time in a request: RFC 3339, with its zone."""

EventFilter = Annotated[str, Field(json_schema_extra={"enum": [*PATTERNS]}), AfterValidator(_known)]
DeliveryStatus = Literal["pending", "parked", "delivered", "failed"]


_DELIVERY: dict[str, Any] = {
    "id": _DELIVERY_ID,
    "webhook_id": WEBHOOK_ID,
    "event": "message.received",
    "event_id": "evt_01KAWXYZ00ABCDEFGHJKMN",
    "status": "delivered",
    "status_code": 200,
    "attempts": 1,
    "success": True,
    "error": None,
    "created_at": TIME,
    "delivered_at": "2026-11-25T09:30:00.412Z",
    "next_attempt_at": None,
    "replay_of": None,
}


class _DeliveryFacts(BaseModel):
    id: str = Field(description="Also in the headers `webhook-id` and `X-CallMissed-Delivery`: the key to dedupe by.")
    webhook_id: str
    event: str = Field(description="Type of the event.")
    event_id: str
    status: DeliveryStatus = Field(
        description="`pending`: an attempt is to come. `parked`: waits until the endpoint answers again or the webhook "
        "is resumed. `delivered`, or `failed` after all attempts."
    )
    status_code: int | None = Field(description="HTTP status of the last attempt; null where none came.")
    success: bool
    error: str | None = Field(description="Why the last attempt failed.")
    created_at: str = Field(description="Time of the event.")
    delivered_at: str | None
    next_attempt_at: str | None
    replay_of: str | None = Field(description="The delivery that this one repeats.")


class DeliveryOut(_DeliveryFacts):
    """One event for one webhook."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY})

    attempts: int = Field(description="Attempts made.")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """The delivery as lists show it."""
        return cls(**_facts(delivery), attempts=delivery.attempts)


class AttemptOut(BaseModel):
    """One HTTP request made for a delivery."""

    number: int
    at: str
    status_code: int | None
    latency_ms: int | None
    error: str | None
    response_body: str | None = Field(description="The first 20 KB of the answer, as text.")
    truncated: bool = Field(description="Whether the answer was longer.")

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """The attempt as the API shows it."""
        return cls(
            number=attempt.number,
            at=iso(attempt.at),
            status_code=attempt.status_code,
            latency_ms=attempt.latency_ms,
            error=attempt.error,
            response_body=attempt.response_body,
            truncated=bool(attempt.truncated),
        )


_DELIVERY_DETAIL: dict[str, Any] = {
    **_DELIVERY,
    "attempts": [
        {
            "number": 1,
            "at": TIME,
            "status_code": 200,
            "latency_ms": 132,
            "error": None,
            "response_body": "ok",
            "truncated": False,
        }
    ],
    "payload": {"id": "evt_01KAWXYZ00ABCDEFGHJKMN", "event": "message.received", "data": {}},
}


class DeliveryDetailOut(_DeliveryFacts):
    """One event for one webhook, with its payload and every attempt."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY_DETAIL})

    attempts: list[AttemptOut]
    payload: dict[str, Any] | None = Field(description="The body that is sent; null once the event is 30 days old.")

    @classmethod
    def of(cls, delivery: Delivery, attempts: list[Attempt], event: Event | None) -> Self:
        """The delivery with its attempts and the body of its event."""
        return cls(
            **_facts(delivery),
            attempts=[AttemptOut.of(attempt) for attempt in attempts],
            payload=json.loads(event.body) if event else None,
        )


class DeliveryPageOut(BaseModel):
    """Deliveries, newest event first."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_DELIVERY], "next_cursor": _DELIVERY_ID}})

    data: list[DeliveryOut]
    next_cursor: str | None = Field(
        description="`cursor` of the next page; null on the last page, also if that page is full. A filter that "
        "matches little can leave a page short, or empty, before the last."
    )

    @classmethod
    def of(cls, page: Page) -> Self:
        """The page as the API shows it."""
        return cls(data=[DeliveryOut.of(delivery) for delivery in page.deliveries], next_cursor=page.cursor)


class QueuedDeliveryOut(BaseModel):
    """A delivery that is on its way."""

    model_config = ConfigDict(json_schema_extra={"example": {"delivery_id": _DELIVERY_ID, "status": "queued"}})

    delivery_id: str
    status: Literal["queued"] = "queued"


def _facts(delivery: Delivery) -> dict[str, Any]:
    state, delivered = delivery.state, delivery.state is State.DELIVERED
    return {
        "id": delivery.id,
        "webhook_id": delivery.endpoint.webhook,
        "event": delivery.event_type,
        "event_id": delivery.event_id,
        "status": state.value,
        "status_code": delivery.status_code,
        "success": delivered,
        "error": delivery.error,
        "created_at": iso(delivery.created_at),
        "delivered_at": _time(delivery.finished_at) if delivered else None,
        "next_attempt_at": _time(delivery.next_attempt_at) if state is State.PENDING else None,
        "replay_of": delivery.replay_of,
    }


def _time(moment: Micros | None) -> str | None:
    return None if moment is None else iso(moment)
