"""API models of sign-up and sign-in; docs/api/openapi.json is made from them."""

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from callmissed.tenants.tenants import Tenant
from callmissed.tenants.users import User
from callmissed.web.schemas import RequestModel
from functions.auth.challenges.codes import CodePurpose
from functions.auth.sessions.service import TokenPair
from functions.auth.sign_in.completion import Outcome, SignedIn

Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.com"])]
NewPassword = Annotated[str, Field(min_length=8, max_length=72)]
Code = Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["481516"])]
FullName = Annotated[str, Field(min_length=1, max_length=255)]
PhoneNumber = Annotated[str, Field(max_length=20)]
CaptchaToken = Annotated[str, Field(max_length=2048, description="Of Cloudflare Turnstile, where captchas are on.")]


class RequestForm(RequestModel):
    """Body of a public request. Fields are accepted by their aliases too."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class RegistrationForm(RequestForm):
    """A new account."""

    email: Email
    password: NewPassword
    full_name: FullName = Field(validation_alias=AliasChoices("full_name", "name"))
    tenant_name: str = Field(default="", max_length=255)
    phone_number: PhoneNumber = ""
    accept_terms: bool = False
    cf_turnstile_token: CaptchaToken = ""


class Verification(RequestForm):
    """The code of the mail."""

    email: Email
    code: Code


class LoginForm(RequestForm):
    """An e-mail address and its password."""

    email: Email
    password: str = Field(min_length=1, max_length=72)


class CodeRequest(RequestForm):
    """Which code to mail. `reset_password` is another name of `reset`."""

    email: Email
    purpose: Literal["login", "reset", "reset_password", "register"] = "login"
    cf_turnstile_token: CaptchaToken = ""

    @property
    def code_purpose(self) -> CodePurpose:
        """The purpose under its own name."""
        return CodePurpose.RESET if self.purpose == "reset_password" else CodePurpose(self.purpose)


class CodeLoginForm(Verification):
    """The code of a mail instead of a password. With the purpose `register` it confirms the address."""

    purpose: Literal["login", "register"] = "login"


class ResetForm(Verification):
    """The code of a mail, and a new password."""

    new_password: NewPassword


class GoogleForm(RequestForm):
    """Google's ID token. `accept_terms` is for a new account."""

    id_token: str = Field(min_length=10, max_length=4096, validation_alias=AliasChoices("id_token", "credential"))
    accept_terms: bool = False
    cf_turnstile_token: CaptchaToken = ""


class RefreshForm(RequestForm):
    """A refresh token."""

    refresh_token: str = Field(min_length=10, max_length=2048)


class Sent(BaseModel):
    """Something was sent, if the address may get it."""

    detail: str
    email: str


class Detail(BaseModel):
    """What was done."""

    detail: str


class Tokens(BaseModel):
    """The next pair of tokens."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme of RFC 6750

    @classmethod
    def of(cls, pair: TokenPair) -> Self:
        """The pair."""
        return cls(access_token=pair.access, refresh_token=pair.refresh)


class LoginResponse(BaseModel):
    """A sign-in: a pair of tokens, or the second factor that is needed first."""

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme of RFC 6750
    two_factor_required: bool = False
    challenge_token: str | None = None
    email: str | None = None
    methods: list[Literal["totp", "passkey"]] = Field(default_factory=list[Literal["totp", "passkey"]])
    passkey_options: dict[str, object] | None = None
    is_new_user: bool = False

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """The signed-in person, or the challenge to answer."""
        if isinstance(outcome, SignedIn):
            pair, is_new = outcome.pair, outcome.is_new_user
            return cls(
                access_token=pair.access, refresh_token=pair.refresh, email=outcome.user.email, is_new_user=is_new
            )
        challenge = outcome.challenge
        return cls(
            two_factor_required=True,
            challenge_token=challenge.challenge_token,
            email=outcome.user.email,
            methods=list(challenge.methods),
            passkey_options=dict(challenge.passkey_options) if challenge.passkey_options else None,
        )


class UserOut(BaseModel):
    """A person."""

    id: str
    tenant_id: str
    email: str
    full_name: str
    phone_number: str | None
    role: str
    is_active: bool

    @classmethod
    def of(cls, user: User) -> Self:
        """The person."""
        return cls(
            id=user.user_id,
            tenant_id=user.tenant,
            email=user.email,
            full_name=user.full_name,
            phone_number=user.phone_number or None,
            role=str(user.role),
            is_active=user.is_active,
        )


class TenantOut(BaseModel):
    """The person's tenant. The balance is in credits."""

    id: str
    name: str
    slug: str
    plan: str
    credit_balance: float
    is_active: bool

    @classmethod
    def of(cls, tenant: Tenant, balance: float) -> Self:
        """The tenant."""
        return cls(
            id=tenant.tenant_id,
            name=tenant.name,
            slug=tenant.slug,
            plan=str(tenant.plan),
            credit_balance=balance,
            is_active=tenant.is_active,
        )


class MeOut(BaseModel):
    """Who is signed in."""

    user: UserOut
    tenant: TenantOut


class ProfileChanges(RequestModel):
    """Changes of one's own profile; an empty phone number clears it."""

    full_name: FullName | None = None
    phone_number: PhoneNumber | None = None
