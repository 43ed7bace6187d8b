"""API models of the second factor; docs/api/openapi.json is made from them."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from callmissed.web.schemas import RequestModel
from functions.auth.sign_in.schemas import CaptchaToken, Code, Email, RequestForm
from functions.auth.two_factor.service import BackupCodes, FactorStatus, Setup

AppCode = Annotated[str, Field(pattern=r"^[0-9 ]{6,7}$", examples=["123456"])]
AnyCode = Annotated[str, Field(min_length=6, max_length=15, examples=["123456", "12ab-34cd"])]
ChallengeToken = Annotated[str, Field(min_length=10, max_length=256)]
Password = Annotated[str, Field(min_length=1, max_length=72)]


class FactorStatusOut(BaseModel):
    """Whether sign-ins ask for a code of an authenticator app, and how many backup codes are left."""

    enabled: bool
    enabled_at: str | None
    backup_codes_remaining: int
    has_password: bool

    @classmethod
    def of(cls, status: FactorStatus) -> Self:
        """The status."""
        return cls(
            enabled=status.is_enabled,
            enabled_at=status.enabled_at or None,
            backup_codes_remaining=status.backup_codes_left,
            has_password=status.has_password,
        )


class SetupOut(BaseModel):
    """What an authenticator app needs: the secret, also as an `otpauth` URI, and that as a QR code.

    `qr_code` is an SVG as a `data:` URI.
    """

    secret: str
    provisioning_uri: str
    qr_code: str
    account_name: str
    issuer: str

    @classmethod
    def of(cls, setup: Setup) -> Self:
        """The setup."""
        return cls(
            secret=setup.secret,
            provisioning_uri=setup.provisioning_uri,
            qr_code=setup.qr_code,
            account_name=setup.account_name,
            issuer=setup.issuer,
        )


class BackupCodesOut(BaseModel):
    """Ten backup codes, which are shown once."""

    backup_codes: list[str] = Field(examples=[["12ab-34cd"]])
    enabled_at: str

    @classmethod
    def of(cls, created: BackupCodes) -> Self:
        """The codes."""
        return cls(backup_codes=created.codes, enabled_at=created.enabled_at)


class AppCodeForm(RequestModel):
    """A code of the authenticator app."""

    code: AppCode


class DisableForm(RequestModel):
    """The password, of a person who has one, and a code of the app or a backup code."""

    password: Password | None = None
    code: AnyCode


class FactorVerification(RequestForm):
    """The challenge of a sign-in, and a code of the app or a backup code."""

    challenge_token: ChallengeToken
    code: AnyCode
    is_backup_code: bool = False


class RecoveryForm(RequestForm):
    """An e-mail address and its password."""

    email: Email
    password: Password
    cf_turnstile_token: CaptchaToken = ""


class RecoveryConfirmation(RequestForm):
    """The code of the mail, and the password."""

    email: Email
    code: Code
    password: Password
