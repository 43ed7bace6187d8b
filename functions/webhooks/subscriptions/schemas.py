"""Requests and answers of the API of webhooks; docs/api/openapi.json is made from them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from callmissed.events.types import is_pattern

MASK = "****"
"""What is shown of a custom header's value. Sent back, it keeps the value."""

_TIME = "2026-11-25T09:30:00.000Z"
_WEBHOOK_ID = "wh_5a3e1c9d7f20b4886e11d0aa"
_DELIVERY_ID = "dlv_01KAWXYZ00ABCDEFGHJKMN"
_MOST_HEADERS = 10
_HEADER_NAME = r"^([Aa]uthorization|[Xx]-[A-Za-z0-9-]{1,120})$"
_HEADER_VALUE = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"


def _known(pattern: str) -> str:
    if not is_pattern(pattern):
        raise ValueError("There is no such event type. See GET /api/v1/webhooks/event-types")
    return pattern


def _foreign(name: str) -> str:
    if name.lower().startswith("x-callmissed-"):
        raise ValueError("X-CallMissed-… headers are ours")
    return name


def _distinct(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("A header is there twice")
    return headers


EventFilter = Annotated[str, Field(max_length=100), AfterValidator(_known)]
HeaderName = Annotated[str, Field(pattern=_HEADER_NAME), AfterValidator(_foreign)]
HeaderValue = Annotated[str, Field(max_length=512, pattern=_HEADER_VALUE)]
Headers = Annotated[dict[HeaderName, HeaderValue], Field(max_length=_MOST_HEADERS), AfterValidator(_distinct)]
DeliveryStatus = Literal["pending", "parked", "delivered", "failed"]

_URL = Field(min_length=1, max_length=2048, description="Public HTTPS URL that gets the events.")
_EVENTS = "Event types, or filters such as `voice_session.*` and `*` for all."
_DESCRIPTION = "For people; what the endpoint is for."
_HEADERS = (
    "Custom headers of every attempt: `Authorization`, or `X-…` but not `X-CallMissed-…`. "
    f"Values are stored sealed and shown as `{MASK}`."
)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewWebhook(_Request):
    """A webhook to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "url": "https://example.com/hooks/callmissed",
                "events": ["conversation.ended", "voice_session.*"],
                "description": "CRM",
                "headers": {"Authorization": "Bearer 4f1c…"},
            }
        }
    )

    url: Annotated[str, _URL]
    events: list[EventFilter] = Field(min_length=1, max_length=50, description=_EVENTS)
    description: str = Field(default="", max_length=255, description=_DESCRIPTION)
    headers: Headers = Field(default_factory=dict[str, str], description=_HEADERS)
    is_active: bool = Field(
        default=True, description="False collects events, and sends them once the webhook is resumed."
    )


class WebhookChanges(_Request):
    """What to change of a webhook. A field that is absent or null stays as it is."""

    model_config = ConfigDict(json_schema_extra={"example": {"events": ["message.*"], "is_active": True}})

    url: Annotated[str, _URL] | None = None
    events: list[EventFilter] | None = Field(
        default=None, max_length=50, description=f"{_EVENTS} An empty array is all too."
    )
    description: str | None = Field(default=None, max_length=255, description=_DESCRIPTION)
    headers: Headers | None = Field(
        default=None, description=f"{_HEADERS} Replaces all of them; the value `{MASK}` keeps the one that is stored."
    )
    is_active: bool | None = Field(
        None,
        description="False pauses the webhook: events are collected, and sent once it is resumed. True resumes it, and "
        "also re-enables a webhook that was disabled.",
    )


class Rotation(_Request):
    """How to rotate a secret."""

    model_config = ConfigDict(json_schema_extra={"example": {"overlap_hours": 24}})

    overlap_hours: int = Field(
        default=24, ge=0, le=24, description="Hours for which the old secret signs beside the new one."
    )


class Recovery(_Request):
    """What to recover."""

    model_config = ConfigDict(json_schema_extra={"example": {"since": _TIME}})

    since: AwareDatetime | None = Field(
        default=None,
        description="Deliveries of events since then, at most 30 days ago. By default since the "
        "endpoint began to fail, or 24 hours ago if that is earlier.",
    )


class NewReplay(_Request):
    """Which deliveries to send again."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"since": _TIME, "until": "2026-11-25T12:00:00.000Z", "events": ["message.*"]}}
    )

    since: AwareDatetime = Field(description="Time of the first event, at most 30 days ago.")
    until: AwareDatetime | None = Field(
        default=None, description="Events before then; now by default, and at the latest."
    )
    events: list[EventFilter] | None = Field(default=None, max_length=50, description=f"{_EVENTS} All by default.")
    status: DeliveryStatus | None = Field(default=None, description="Only deliveries in this status. All by default.")


class Webhook(BaseModel):
    """A webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _WEBHOOK_ID,
                "tenant_id": "tnt_3f0c9b7e2d14a8c65b901e77",
                "url": "https://example.com/hooks/callmissed",
                "secret": "whse****Nk8=",
                "events": ["conversation.ended", "voice_session.*"],
                "description": "CRM",
                "headers": {"Authorization": MASK},
                "is_active": True,
                "status": "active",
                "disabled_reason": None,
                "failing_since": None,
                "created_at": _TIME,
                "updated_at": _TIME,
            }
        }
    )

    id: str
    tenant_id: str
    url: str
    secret: str = Field(description="`first4****last4`; in full only in the answer that creates or rotates it.")
    events: list[str]
    description: str
    headers: dict[str, str] = Field(description=f"Custom headers, with `{MASK}` for every value.")
    is_active: bool = Field(description="Whether events are sent now; false while paused or disabled.")
    status: Literal["active", "paused", "disabled"]
    disabled_reason: Literal["failing", "gone"] | None = Field(
        description="`failing`: nothing but failures for five days. `gone`: the endpoint answered 410."
    )
    failing_since: str | None = Field(description="Time of the first failed attempt since the last success.")
    created_at: str
    updated_at: str


_DELIVERY: dict[str, Any] = {
    "id": _DELIVERY_ID,
    "webhook_id": _WEBHOOK_ID,
    "event": "message.received",
    "event_id": "evt_01KAWXYZ00ABCDEFGHJKMN",
    "status": "delivered",
    "status_code": 200,
    "attempts": 1,
    "success": True,
    "error": None,
    "created_at": _TIME,
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


class Delivery(_DeliveryFacts):
    """One event for one webhook."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY})

    attempts: int = Field(description="Attempts made.")


class Attempt(BaseModel):
    """One HTTP request made for a delivery."""

    number: int
    at: str
    status_code: int | None
    latency_ms: int | None
    error: str | None
    response_body: str | None = Field(description="The first 20 KB of the answer, as text.")
    truncated: bool = Field(description="Whether the answer was longer.")


_DELIVERY_DETAIL: dict[str, Any] = {
    **_DELIVERY,
    "attempts": [
        {
            "number": 1,
            "at": _TIME,
            "status_code": 200,
            "latency_ms": 132,
            "error": None,
            "response_body": "ok",
            "truncated": False,
        }
    ],
    "payload": {"id": "evt_01KAWXYZ00ABCDEFGHJKMN", "event": "message.received", "data": {}},
}


class DeliveryDetail(_DeliveryFacts):
    """One event for one webhook, with its payload and every attempt."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY_DETAIL})

    attempts: list[Attempt]
    payload: dict[str, Any] | None = Field(description="The body that is sent; null once the event is 30 days old.")


class DeliveryPage(BaseModel):
    """Deliveries, newest event first."""

    model_config = ConfigDict(json_schema_extra={"example": {"data": [_DELIVERY], "next_cursor": _DELIVERY_ID}})

    data: list[Delivery]
    next_cursor: str | None = Field(
        description="`cursor` of the next page; null on the last. A filter that matches little can leave a page short, "
        "or empty, before the last."
    )


class Queued(BaseModel):
    """A delivery that is on its way."""

    model_config = ConfigDict(json_schema_extra={"example": {"delivery_id": _DELIVERY_ID, "status": "queued"}})

    delivery_id: str
    status: Literal["queued"] = "queued"


class Replay(BaseModel):
    """A run over past deliveries."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "rpl_9d2f51c07be34a8896f01c55",
                "kind": "recover",
                "status": "running",
                "since": "2026-11-24T09:30:00.000Z",
                "until": _TIME,
                "scanned": 0,
                "queued": 0,
            }
        }
    )

    id: str
    kind: Literal["recover", "replay"]
    status: str = Field(description="`running`, then `done`.")
    since: str
    until: str
    scanned: int = Field(description="Deliveries looked at so far.")
    queued: int = Field(description="Deliveries queued so far.")


class TrialResult(BaseModel):
    """What came of a test."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"success": True, "status_code": 200, "latency_ms": 132, "error": None}}
    )

    success: bool
    status_code: int | None
    latency_ms: int | None
    error: str | None


class EventType(BaseModel):
    """A kind of event, and what its `data` holds."""

    name: str
    version: int
    description: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of `data`.")
    example: dict[str, Any]


class EventTypes(BaseModel):
    """All event types."""

    data: list[EventType]


class RefusalText(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    type: str
    request_id: str
    details: list[dict[str, Any]] | None = Field(
        default=None, description="On 422: `loc` and `msg` of everything that is wrong."
    )


class Refusal(BaseModel):
    """The envelope of every error."""

    error: RefusalText
