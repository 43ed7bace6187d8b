"""API models of webhooks; docs/api/openapi.json is made from them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from callmissed.clock import iso
from callmissed.web.schemas import RequestModel
from functions.webhooks.deliveries.schemas import EVENTS, TIME, WEBHOOK_ID, EventFilter
from functions.webhooks.delivery.attempts import AttemptOutcome
from functions.webhooks.storage.records import Webhook, WebhookStatus

MASK = "****"
"""Mask of a custom header's value. A mask that is sent back keeps the value."""

_MAX_HEADERS = 10
URL_PATTERN = (
    r"^[Hh][Tt][Tt][Pp][Ss]?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
    r"([/?][A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]*)?$"
)
"""Pattern of every URL that may be accepted; one that fits may still be rejected."""

_HEADER_NAME = r"^([Aa]uthorization|[Xx]-[A-Za-z0-9-]{1,120})$"
_OURS = "^[Xx]-[Cc][Aa][Ll][Ll][Mm][Ii][Ss][Ss][Ee][Dd]-"
_HEADER_VALUE = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"


def _foreign(name: str) -> str:
    if name.lower().startswith("x-callmissed-"):
        raise ValueError("X-CallMissed-… headers are ours")
    return name


def _distinct(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("A header is there twice")
    return headers


HeaderName = Annotated[str, Field(pattern=_HEADER_NAME), AfterValidator(_foreign)]
HeaderValue = Annotated[str, Field(max_length=512, pattern=_HEADER_VALUE)]
BotId = Annotated[str, Field(min_length=1, max_length=64)]
Headers = Annotated[
    dict[HeaderName, HeaderValue],
    Field(
        max_length=_MAX_HEADERS,
        json_schema_extra={"additionalProperties": False, "propertyNames": {"not": {"pattern": _OURS}}},
    ),
    AfterValidator(_distinct),
]

_URL = Field(
    min_length=1,
    max_length=2048,
    description="Public HTTPS URL that gets the events, without user name and fragment. Its host is, and resolves to, "
    "public addresses only. On the local stack, http to a loopback address is allowed too.",
    json_schema_extra={"format": "uri", "pattern": URL_PATTERN},
)
_DESCRIPTION = "For people; what the endpoint is for."
_HEADERS = (
    "Custom headers of every attempt: `Authorization`, or `X-…` but not `X-CallMissed-…`. "
    f"Values are stored sealed and shown as `{MASK}`."
)
_BOT = "Only events of this bot of the tenant; events that are about no bot are not sent then."


class NewWebhook(RequestModel):
    """A webhook to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "url": "https://example.com/hooks/callmissed",
                "events": ["conversation.ended", "voice_session.*"],
                "description": "CRM",
                "headers": {"Authorization": "Bearer 4f1c"},
            }
        }
    )

    url: Annotated[str, _URL]
    events: list[EventFilter] = Field(min_length=1, max_length=50, description=EVENTS)
    description: str = Field(default="", max_length=255, description=_DESCRIPTION)
    headers: Headers = Field(default_factory=dict[str, str], description=_HEADERS)
    is_active: bool = Field(
        default=True, description="False collects events, and sends them once the webhook is resumed."
    )
    bot_id: BotId | None = Field(default=None, description=_BOT)


class WebhookChanges(RequestModel):
    """What to change of a webhook. A field that is absent or null stays as it is."""

    model_config = ConfigDict(json_schema_extra={"example": {"events": ["message.*"], "is_active": True}})

    url: Annotated[str, _URL] | None = None
    events: list[EventFilter] | None = Field(
        default=None, max_length=50, description=f"{EVENTS} An empty array is all too."
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
    bot_id: BotId | None = Field(default=None, description=_BOT)
    clear_bot_id: bool = Field(default=False, description="True lets the webhook get the events of all bots again.")

    @model_validator(mode="after")
    def is_of_one_mind(self) -> Self:
        """Refuse to set a bot and to clear it at once."""
        if self.clear_bot_id and self.bot_id is not None:
            raise ValueError("bot_id and clear_bot_id exclude each other")
        return self


class Rotation(RequestModel):
    """How to rotate a secret."""

    model_config = ConfigDict(json_schema_extra={"example": {"overlap_hours": 24}})

    overlap_hours: int = Field(
        default=24, ge=0, le=24, description="Hours for which the old secret signs beside the new one."
    )


class WebhookOut(BaseModel):
    """A webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": WEBHOOK_ID,
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
                "bot_id": None,
                "created_at": TIME,
                "updated_at": TIME,
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
    bot_id: str | None = Field(description="The bot whose events it gets; null for those of all, and of none.")
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, webhook: Webhook, secret: str | None = None) -> Self:
        """The webhook, with its `secret` where that is shown in full."""
        status = webhook.status
        return cls(
            id=webhook.endpoint.webhook,
            tenant_id=webhook.endpoint.tenant,
            url=webhook.url,
            secret=secret or webhook.masked_secret,
            events=list(webhook.events),
            description=webhook.description,
            headers=dict.fromkeys(webhook.headers, MASK),
            is_active=status is WebhookStatus.ACTIVE,
            status=status.value,
            disabled_reason=webhook.disabled_reason.value if webhook.disabled_reason else None,
            failing_since=None if webhook.first_failure_at is None else iso(webhook.first_failure_at),
            bot_id=webhook.bot_id,
            created_at=iso(webhook.created_at),
            updated_at=iso(webhook.updated_at),
        )


class TestResultOut(BaseModel):
    """Outcome of a test."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"success": True, "status_code": 200, "latency_ms": 132, "error": None}}
    )

    success: bool
    status_code: int | None
    latency_ms: int | None
    error: str | None

    @classmethod
    def of(cls, outcome: AttemptOutcome) -> Self:
        """The outcome as the API shows it."""
        return cls(
            success=outcome.delivered,
            status_code=outcome.status,
            latency_ms=outcome.latency_ms,
            error=outcome.error,
        )
