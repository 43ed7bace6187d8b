"""Credentials of a tenant's own providers: their fields, and how they are shown."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

_MASK = "•" * 8
_MIN_SHOWN_LENGTH = 9


class Credentials(BaseModel):
    """The credentials of one provider, saved and replaced as a whole. `secrets` names the fields that are sealed.

    Spaces and line ends around a value, which come with copies from a provider's page, are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    provider: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]]
    signing: ClassVar[str] = ""
    """The secret with which the provider signs its callbacks, if it sends any."""

    @property
    def account(self) -> str | None:
        """Id of the provider's account whose callbacks these are, from `whatsapp_account` or `twilio_account`."""
        return None


class WhatsAppCredentials(Credentials):
    """A phone number of the WhatsApp Cloud API and the Meta app behind it.

    Without an `app_secret` Meta's callbacks can't be verified; they are refused unless `allow_unsigned` accepts
    them.
    """

    provider = "whatsapp"
    secrets = ("access_token", "verify_token", "app_secret")
    signing = "app_secret"

    phone_number_id: Annotated[str, Field(min_length=1, max_length=100)]
    access_token: Annotated[str, Field(min_length=1, max_length=1024)]
    verify_token: Annotated[str, Field(min_length=1, max_length=255)]
    app_secret: Annotated[str, Field(max_length=255)] = ""
    allow_unsigned: bool = False

    @property
    def account(self) -> str:
        """See `Credentials.account`."""
        return whatsapp_account(self.phone_number_id)


class TwilioCredentials(Credentials):
    """A phone number, in E.164, of a Twilio account."""

    provider = "twilio"
    secrets = ("auth_token",)
    signing = "auth_token"

    account_sid: Annotated[str, Field(min_length=1, max_length=100)]
    auth_token: Annotated[str, Field(min_length=1, max_length=255)]
    phone_number: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,18}$")]

    @property
    def account(self) -> str:
        """See `Credentials.account`."""
        return twilio_account(self.account_sid, self.phone_number)


class SarvamCredentials(Credentials):
    """A key of Sarvam's API, which sends no callbacks."""

    provider = "sarvam"
    secrets = ("api_key",)

    api_key: Annotated[str, Field(min_length=1, max_length=255)]


def whatsapp_account(phone_number_id: str) -> str:
    """The account to which WhatsApp's callbacks for a phone number belong."""
    return f"@whatsapp#{phone_number_id}"


def whatsapp_business_account(waba_id: str) -> str:
    """The account of WhatsApp's callbacks that name a WhatsApp Business account (WABA) and no phone number."""
    return f"@whatsapp-business#{waba_id}"


def twilio_account(account_sid: str, phone_number: str) -> str:
    """The account to which Twilio's callbacks for a number belong; the number is in E.164."""
    return f"@twilio#{account_sid}#{phone_number}"


def masked(secret: str) -> str | None:
    """A secret as it is shown: its first and last four characters, or none of a short one. None without a secret."""
    if not secret:
        return None
    return _MASK if len(secret) < _MIN_SHOWN_LENGTH else f"{secret[:4]}{_MASK}{secret[-4:]}"
