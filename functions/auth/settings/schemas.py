"""API models of integration settings; docs/api/openapi.json is made from them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from callmissed.integrations.credentials import WhatsAppCredentials
from callmissed.web.schemas import RequestModel

MASKED = "Masked: its first and last four characters; null where it is not set."


class WhatsAppForm(RequestModel):
    """A phone number of the WhatsApp Cloud API. Without the app's secret, Meta's callbacks are refused."""

    model_config = ConfigDict(str_strip_whitespace=True)

    phone_number_id: str = Field(min_length=1, max_length=100)
    access_token: str = Field(min_length=1, max_length=1024)
    verify_token: str = Field(min_length=1, max_length=255)
    app_secret: str = Field(default="", max_length=255)

    @property
    def credentials(self) -> WhatsAppCredentials:
        """What is stored."""
        return WhatsAppCredentials(**self.model_dump())


class SettingsOut(BaseModel):
    """Stored credentials."""

    model_config = ConfigDict(extra="ignore")

    configured: bool


class WhatsAppSettings(SettingsOut):
    """The WhatsApp number, and the URL that Meta is to call."""

    phone_number_id: str | None
    access_token: str | None = Field(description=MASKED)
    verify_token: str | None = Field(description=MASKED)
    app_secret: str | None = Field(description=MASKED)
    webhook_url: str


class TwilioSettings(SettingsOut):
    """The Twilio number, and the URL that Twilio is to call."""

    account_sid: str | None
    auth_token: str | None = Field(description=MASKED)
    phone_number: str | None
    voice_webhook_url: str


class SarvamSettings(SettingsOut):
    """The key of Sarvam's API."""

    api_key: str | None = Field(description=MASKED)


class Saved(BaseModel):
    """The credentials were saved."""

    detail: str


class VerificationOut(BaseModel):
    """Whether the provider accepts the stored credentials; `error` says what is wrong."""

    status: Literal["connected", "not_configured", "error"]
    error: str | None
