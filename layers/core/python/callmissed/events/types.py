"""The event types: the fields of `data`, an example, and the version that a consumer can rely on.

A version changes when a field goes away or changes its meaning; new optional fields come without one. JSON Schemas of
all types are in docs/api/events.json and at GET /api/v1/webhooks/event-types.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Channel = Literal["whatsapp", "voice"]
_ID = "7d2f0f5e-6f5f-4f06-9d0e-3a4be7a3c1f2"
_TIME = "2026-11-25T09:30:00.000Z"
_USER_ID = (
    "The channel's own id of the end user; on WhatsApp the business-scoped user id, which may replace the number."
)


class EventData(BaseModel):
    """Data of an event. A subclass is an event type; money is in credits, times are ISO 8601 in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: ClassVar[str]
    version: ClassVar[int] = 1
    example: ClassVar[dict[str, Any]]


class ConversationStarted(EventData):
    """An end user wrote or called, and there was no open conversation. `bot_id` is null while no bot answers."""

    event = "conversation.started"
    example = {"conversation_id": _ID, "bot_id": _ID, "channel": "whatsapp", "external_id": "919876543210"}

    conversation_id: str
    bot_id: str | None = None
    channel: Channel
    external_id: str = Field(description="Who the end user is on the channel, such as a phone number.")


class ConversationEnded(EventData):
    """A conversation was completed, escalated, or failed."""

    event = "conversation.ended"
    example = {**ConversationStarted.example, "status": "completed", "duration_seconds": 312}

    conversation_id: str
    bot_id: str | None = None
    channel: Channel
    external_id: str
    status: Literal["completed", "escalated", "failed"]
    duration_seconds: int | None = None


class MessageReceived(EventData):
    """An end user sent a message. `conversation_id` is null where it belongs to none, `bot_id` while no bot answers."""

    event = "message.received"
    version = 2
    example = {
        "conversation_id": _ID,
        "bot_id": _ID,
        "channel": "whatsapp",
        "from": "919876543210",
        "user_id": "IN.13491208655302741918",
        "message_id": "wamid.HBgMOTE5ODc2NTQzMjEwFQIAEhg",
        "type": "text",
        "text": "Where is my order?",
        "content": {"timestamp": "1795599000"},
    }
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    conversation_id: str | None = None
    bot_id: str | None = None
    channel: Channel
    sender: str | None = Field(
        default=None,
        alias="from",
        description="Digits of the end user's phone number; null where the channel keeps the number to itself.",
    )
    user_id: str | None = Field(default=None, description=_USER_ID)
    message_id: str = Field(description="The channel's own id; on WhatsApp the wamid.")
    type: str = Field(description="`text`, `image`, `audio`, `interactive`, … as the channel names it.")
    text: str | None = Field(
        default=None, description="What the end user wrote or chose: a text, a caption, the title of a button or a row."
    )
    content: dict[str, Any] | None = Field(
        default=None,
        description="The rest of the message as the channel sent it, such as `image`, `interactive`, `context` or "
        "`referral`. Null where it is too large.",
    )


class MessageSent(EventData):
    """A reply went out on the channel."""

    event = "message.sent"
    example = {
        "conversation_id": _ID,
        "bot_id": _ID,
        "channel": "whatsapp",
        "to": "919876543210",
        "message_id": "wamid.HBgMOTE5ODc2NTQzMjEwFQIAERg",
        "type": "text",
        "text": "It arrives tomorrow.",
    }

    conversation_id: str | None = None
    bot_id: str | None = None
    channel: Channel
    to: str
    message_id: str
    type: str
    text: str | None = None


class MessageError(BaseModel):
    """A reason for which the channel did not deliver a message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: int | None = Field(default=None, description="The channel's own code.")
    title: str | None = None
    message: str | None = None
    details: str | None = None


class MessageStatus(EventData):
    """The channel reported what became of a message that we sent."""

    event = "message.status"
    version = 2
    example = {
        "conversation_id": _ID,
        "bot_id": _ID,
        "channel": "whatsapp",
        "message_id": "wamid.HBgMOTE5ODc2NTQzMjEwFQIAERg",
        "status": "failed",
        "recipient": "919876543210",
        "user_id": "IN.13491208655302741918",
        "error": "131047 Re-engagement message",
        "errors": [
            {
                "code": 131047,
                "title": "Re-engagement message",
                "message": "Re-engagement message",
                "details": "More than 24 hours have passed since the recipient last replied.",
            }
        ],
        "content": {"timestamp": "1795599000"},
    }

    conversation_id: str | None = Field(default=None, description="Null for a message that went out elsewhere.")
    bot_id: str | None = None
    channel: Channel
    message_id: str
    status: str = Field(description="`sent`, `delivered`, `read`, `failed`, … as the channel names it.")
    recipient: str | None = Field(
        default=None, description="Digits of the end user's phone number, or a group; null where neither is known."
    )
    user_id: str | None = Field(default=None, description=_USER_ID)
    error: str | None = Field(default=None, description="Codes and titles of `errors`, on one line.")
    errors: list[MessageError] = Field(default=[], description="Why the message failed.")
    content: dict[str, Any] | None = Field(
        default=None,
        description="The rest of the status as the channel sent it, such as `pricing` or `conversation`. Null where it "
        "is too large.",
    )


class VoiceSessionStarted(EventData):
    """A voice session was created and its token issued."""

    event = "voice_session.started"
    example = {"session_id": _ID, "bot_id": _ID, "status": "created", "metadata": {"order": "A-17"}}

    session_id: str
    bot_id: str | None = None
    status: Literal["created"]
    metadata: dict[str, Any] | None = None


class VoiceSessionEnded(EventData):
    """A voice session was completed."""

    event = "voice_session.ended"
    example = {
        "session_id": _ID,
        "bot_id": _ID,
        "status": "completed",
        "end_reason": "participant_disconnect",
        "duration_seconds": 84,
        "turn_count": 6,
        "metadata": {"order": "A-17"},
    }

    session_id: str
    bot_id: str | None = None
    status: Literal["completed"]
    end_reason: str
    duration_seconds: int
    turn_count: int
    metadata: dict[str, Any] | None = None


class VoiceSessionFailed(EventData):
    """A voice session failed or ran into its time limit."""

    event = "voice_session.failed"
    example = {**VoiceSessionEnded.example, "status": "failed", "end_reason": "agent_error"}

    session_id: str
    bot_id: str | None = None
    status: Literal["failed", "timeout"]
    end_reason: str
    duration_seconds: int
    turn_count: int
    metadata: dict[str, Any] | None = None


class BudgetAlert(EventData):
    """A monthly budget is used up to a threshold. Once a month for each threshold."""

    event = "budget.alert"
    example = {
        "period": "2026-11",
        "threshold_percent": 80,
        "monthly_budget_credits": 1000.0,
        "period_used_credits": 812.5,
        "remaining_credits": 187.5,
    }

    period: str = Field(description="The month in UTC, YYYY-MM.")
    threshold_percent: int
    monthly_budget_credits: float
    period_used_credits: float
    remaining_credits: float


class BudgetExceeded(EventData):
    """A monthly budget is used up: calls are refused until the month turns or the budget is raised. Once a month."""

    event = "budget.exceeded"
    example = {
        "period": "2026-11",
        "monthly_budget_credits": 1000.0,
        "period_used_credits": 1000.0,
        "remaining_credits": 0.0,
    }

    period: str
    monthly_budget_credits: float
    period_used_credits: float
    remaining_credits: float


class CreditsLow(EventData):
    """Available credits fell below the threshold. Once after each top-up, and every 32 days while they stay low."""

    event = "credits.low"
    example = {"available_credits": 42.5, "threshold_credits": 50.0}

    available_credits: float
    threshold_credits: float


class ApiKeyExpired(EventData):
    """An API key passed its expiry; its calls are refused."""

    event = "api_key.expired"
    example = {"key_id": "key_3f0c9b7e2d14a8c65b901e77", "expired_at": _TIME}

    key_id: str
    expired_at: str


class InvoiceCreated(EventData):
    """An invoice was issued."""

    event = "invoice.created"
    example = {
        "invoice_number": "CM-2026-000042",
        "amount": 1180.0,
        "currency": "INR",
        "order_id": "cm_8b1f0c2d3e4f5a6b",
        "description": "Credit pack of 1,000",
        "issued_at": _TIME,
    }

    invoice_number: str
    amount: float
    currency: str
    order_id: str | None = None
    description: str
    issued_at: str


class PaymentSucceeded(EventData):
    """A payment was settled, and its credits or plan granted."""

    event = "payment.succeeded"
    example = {"order_id": "cm_8b1f0c2d3e4f5a6b", "amount": 1180.0, "currency": "INR", "plan": None, "credits": 1000}

    order_id: str
    amount: float
    currency: str
    plan: str | None = None
    credits: int | None = None


class PaymentFailed(EventData):
    """A payment failed or was abandoned; nothing was granted."""

    event = "payment.failed"
    example = {**PaymentSucceeded.example, "reason": "user_dropped"}

    order_id: str
    amount: float
    currency: str
    plan: str | None = None
    credits: int | None = None
    reason: str | None = None


class WebhookDisabled(EventData):
    """A webhook was disabled because its endpoint is gone or has failed for five days. Sent to the tenant's others."""

    event = "webhook.disabled"
    example = {
        "webhook_id": "wh_5a3e1c9d7f20b4886e11d0aa",
        "url": "https://example.com/hooks",
        "reason": "failing",
        "failing_since": "2026-11-20T09:30:00.000Z",
        "disabled_at": _TIME,
    }

    webhook_id: str
    url: str
    reason: Literal["failing", "gone"]
    failing_since: str | None = None
    disabled_at: str


def _types() -> Iterator[type[EventData]]:
    yield from EventData.__subclasses__()


EVENT_TYPES: dict[str, type[EventData]] = {kind.event: kind for kind in _types()}
"""Every event type by its name."""


def _patterns() -> Iterator[str]:
    yield "*"
    yield from sorted({f"{name.partition('.')[0]}.*" for name in EVENT_TYPES})
    yield from EVENT_TYPES


PATTERNS = tuple(_patterns())
"""Every filter that selects an event type that exists: all, a group, or one type."""


def matches(pattern: str, event: str) -> bool:
    """Whether a filter such as `*`, `message.received` or `voice_session.*` selects `event`."""
    return pattern in ("*", event) or (pattern.endswith(".*") and event.startswith(pattern[:-1]))


def is_pattern(text: str) -> bool:
    """Whether `text` selects at least one event type that exists."""
    return text in PATTERNS


def catalogue() -> list[dict[str, Any]]:
    """Public description of every type: `name`, `version`, `description`, JSON `schema` and `example` of its data."""
    return [
        {
            "name": name,
            "version": kind.version,
            "description": " ".join((kind.__doc__ or "").split()),
            "schema": kind.model_json_schema(by_alias=True),
            "example": kind.example,
        }
        for name, kind in EVENT_TYPES.items()
    ]
