"""API models of WhatsApp accounts, numbers and onboarding; docs/api/openapi.json is made from them."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from callmissed.clock import iso
from callmissed.web.schemas import RequestModel
from functions.bots.numbers.records import PhoneNumber, WhatsAppAccount

ACCOUNT_ID = "019ac2a5-2f40-7d11-8a52-0b9c4e7f1a20"
PHONE_ID = "019ac2a5-2f40-7e02-9c61-5d3a8b7e4f19"
TIME = "2026-11-25T09:30:00.000Z"

MetaId = Annotated[str, Field(pattern=r"^[0-9]{1,32}$", description="An id of Meta's, in digits.")]
_BOT = Field(default=None, description="A bot that answers the number from now on. Null leaves what is linked.")


class NumberProof(RequestModel):
    """Credentials that prove a phone number."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "waba_id": "100200300400500",
                "phone_number_id": "100200300400501",
                "access_token": "EAAGexample",
                "app_secret": "3f0c9b7e2d14",
            }
        }
    )

    waba_id: MetaId
    phone_number_id: MetaId
    access_token: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[!-~]+$",
        description="Permanent token of a system user with the permissions `whatsapp_business_management` and "
        "`whatsapp_business_messaging`.",
    )
    app_secret: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Secret of the Meta app, which signs callbacks. Without it that of the tenant's settings counts.",
    )
    verify_token: str | None = Field(
        default=None, min_length=1, max_length=255, description="Verify token of the Meta app's webhook."
    )
    bot_id: UUID | None = _BOT


class SignupCode(RequestModel):
    """Outcome of Meta's Embedded Signup in a browser."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "AQBx1", "phone_number_id": "100200300400501"}})

    code: str = Field(min_length=1, max_length=2048, description="Code of the sign-up; it is good for one exchange.")
    phone_number_id: MetaId
    waba_id: MetaId | None = Field(default=None, description="Account that was shared. Null finds it by the token.")
    bot_id: UUID | None = _BOT


_ACCOUNT_EXAMPLE: dict[str, Any] = {
    "id": ACCOUNT_ID,
    "waba_id": "100200300400500",
    "business_id": "100200300400503",
    "name": "Blue Kettle",
    "currency": "INR",
    "review_status": "APPROVED",
    "account_status": "ACTIVE",
    "account_restriction_reason": None,
    "payment_setup_complete": None,
    "is_active": True,
    "created_at": TIME,
}
_NUMBER_EXAMPLE: dict[str, Any] = {
    "id": PHONE_ID,
    "account_id": ACCOUNT_ID,
    "bot_id": None,
    "phone_number_id": "100200300400501",
    "display_phone_number": "+91 80000 00001",
    "verified_name": "Blue Kettle",
    "code_verification_status": "VERIFIED",
    "quality_rating": "GREEN",
    "messaging_limit_tier": "TIER_1K",
    "throughput_level": "STANDARD",
    "registration_status": "connected",
    "registration_error": None,
    "name_status": "APPROVED",
    "ai_autoreply_enabled": True,
    "is_active": True,
    "created_at": TIME,
}


class AccountOut(BaseModel):
    """A WhatsApp Business account as Meta described it at the last onboarding."""

    model_config = ConfigDict(json_schema_extra={"example": _ACCOUNT_EXAMPLE})

    id: str
    waba_id: str
    business_id: str | None
    name: str | None
    currency: str | None
    review_status: str | None
    account_status: str | None
    account_restriction_reason: str | None = Field(description="Always null: Meta is not asked for it.")
    payment_setup_complete: bool | None = Field(description="Always null: Meta is not asked for it.")
    is_active: bool
    created_at: str

    @classmethod
    def of(cls, account: WhatsAppAccount) -> Self:
        """The account as the API shows it."""
        shown = {name: getattr(account, name) for name in cls.model_fields if name != "created_at"}
        return cls(**shown, created_at=iso(account.created))


class PhoneNumberOut(BaseModel):
    """A phone number as Meta described it at the last onboarding."""

    model_config = ConfigDict(json_schema_extra={"example": _NUMBER_EXAMPLE})

    id: str
    account_id: str
    bot_id: str | None = Field(description="Bot that answers. Null: messages are stored and not answered.")
    phone_number_id: str
    display_phone_number: str
    verified_name: str
    code_verification_status: str | None
    quality_rating: str | None
    messaging_limit_tier: str | None
    throughput_level: str | None
    registration_status: str = Field(description="`connected`: Meta takes messages of this number from us.")
    registration_error: str | None
    name_status: str | None
    ai_autoreply_enabled: bool
    is_active: bool
    created_at: str

    @classmethod
    def of(cls, number: PhoneNumber) -> Self:
        """The number as the API shows it."""
        renamed = {"phone_number_id", "ai_autoreply_enabled", "created_at"}
        shown = {name: getattr(number, name) for name in cls.model_fields if name not in renamed}
        return cls(
            **shown,
            phone_number_id=number.number_id,
            ai_autoreply_enabled=number.autoreply,
            created_at=iso(number.created),
        )


class ConnectedNumberOut(BaseModel):
    """A number after its onboarding."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "account": _ACCOUNT_EXAMPLE,
                "phone_number": _NUMBER_EXAMPLE,
                "fully_provisioned": True,
                "onboarding_error": None,
            }
        }
    )

    account: AccountOut
    phone_number: PhoneNumberOut
    fully_provisioned: bool = Field(description="Whether messages get in and out.")
    onboarding_error: str | None = Field(description="What is still missing for that.")


class BotLink(RequestModel):
    """The bot of a number."""

    model_config = ConfigDict(json_schema_extra={"example": {"bot_id": "019ac2a5-2f40-7c1e-9b3d-6f0a4d2c81e7"}})

    bot_id: UUID | None = Field(description="Null links none: messages are stored and not answered.")


class NumberSwitch(RequestModel):
    """Whether a number's bot answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"enabled": False}})

    enabled: bool
