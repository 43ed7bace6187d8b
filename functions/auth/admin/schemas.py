"""API models of operators' routes; docs/api/openapi.json is made from them, and the command line prints them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from callmissed.clock import MINUTE, Micros
from callmissed.integrations.credentials import TwilioCredentials, WhatsAppCredentials
from callmissed.keys.management import MAX_OVERLAP_MINUTES
from callmissed.keys.policy import ANY, NEVER, KeyPolicy
from callmissed.keys.records import ApiKey
from callmissed.keys.secret import Mode
from callmissed.money import parse_credits, show
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.tenants.tenants import Tenant
from callmissed.tenants.users import User
from callmissed.web.schemas import CreditAmount, OperatorRequest
from functions.auth.sign_in.schemas import Email, FullName
from functions.auth.team.invitation import Invitation

SignedAmount = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$",
        description="Credits, exact; below zero to take back.",
        examples=["-12.5"],
    ),
]
_DAY = 24 * 60 * MINUTE


class NewTenant(OperatorRequest):
    """A tenant to create."""

    name: str
    plan: Plan = Plan.FREE


class TenantRow(BaseModel):
    """A tenant."""

    tenant_id: str
    name: str
    plan: str
    status: str
    created_at: str

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """The tenant."""
        return cls(
            tenant_id=tenant.tenant_id,
            name=tenant.name,
            plan=str(tenant.plan),
            status=str(tenant.status),
            created_at=tenant.created_at,
        )


class InvitedUser(OperatorRequest):
    """A person to invite. The first person of a tenant becomes its owner, whatever the role says."""

    email: Email
    full_name: FullName
    role: Literal["admin", "agent"] = "agent"

    @property
    def invitation(self) -> Invitation:
        """Who is invited."""
        return Invitation(self.email, self.full_name, Role(self.role))


class UserRow(BaseModel):
    """A person."""

    id: str
    email: str
    full_name: str
    role: str
    is_active: bool
    created_at: str

    @classmethod
    def of(cls, user: User) -> Self:
        """The person."""
        return cls(
            id=user.user_id,
            email=user.email,
            full_name=user.full_name,
            role=str(user.role),
            is_active=user.is_active,
            created_at=user.created_at,
        )


class NewGrant(OperatorRequest):
    """Credits to add. A grant that is repeated under the same `operation_id` adds nothing more."""

    credits: CreditAmount
    operation_id: str = Field(min_length=1, max_length=255)
    description: str = Field(default="", max_length=255)


class NewAdjustment(OperatorRequest):
    """Credits to add, or to take back. An adjustment that is repeated under the same `operation_id` is made once."""

    credits: SignedAmount
    operation_id: str = Field(min_length=1, max_length=255)
    description: str = Field(default="", max_length=255)


class AdjustmentRow(BaseModel):
    """What an adjustment added, below zero what it took back, and what the tenant has or owes now, in credits."""

    tenant_id: str
    operation_id: str
    adjusted: bool
    amount: str
    available: str
    debt: str


class GrantRow(BaseModel):
    """What a grant added, and what the tenant has now, in credits."""

    tenant_id: str
    operation_id: str
    granted: bool
    amount: str
    available: str


class RequestedKey(OperatorRequest):
    """A key to create. `null` names everything, but no scope; `rpm` without a value is the plan's."""

    name: str
    mode: Mode = Mode.LIVE
    permissions: list[str] | None = None
    scopes: list[str] | None = None
    models: list[str] | None = None
    domains: list[str] | None = None
    rpm: int | None = None
    budget: CreditAmount | None = None
    expires_days: int | None = Field(default=None, ge=1, le=36_500)

    def policy(self, now: Micros) -> KeyPolicy:
        """What the key may do."""
        return KeyPolicy(
            permissions=_or_any(self.permissions),
            scopes=frozenset(self.scopes or ()),
            domains=_or_any(self.domains),
            models=_or_any(self.models),
            rpm=self.rpm,
            budget=None if self.budget is None else parse_credits(self.budget),
            expires=NEVER if self.expires_days is None else Micros(now + self.expires_days * _DAY),
        )


class RequestedRotation(OperatorRequest):
    """How long the earlier secret still works."""

    overlap_minutes: int = Field(default=0, ge=0, le=MAX_OVERLAP_MINUTES)


class KeyRow(BaseModel):
    """A key without its secret. `rpm` is requests a minute, `budget` credits a month."""

    id: str
    name: str
    masked: str
    mode: str
    permissions: list[str]
    scopes: list[str]
    models: list[str]
    search_providers: list[str]
    rpm: int
    rpm_from_plan: bool
    domains: list[str]
    budget: str | None
    expires_at: str | None
    status: str
    secrets: int
    created_at: str

    @classmethod
    def of(cls, record: ApiKey, **more: str) -> Self:
        """The key, with `more` fields."""
        return cls(
            id=record.key_id,
            name=record.name,
            masked=record.masked,
            mode=record.mode,
            permissions=record.permissions,
            scopes=record.scopes,
            models=record.models,
            search_providers=record.search_providers,
            rpm=record.rpm,
            rpm_from_plan=record.rpm_from_plan,
            domains=sorted(record.domains),
            budget=None if record.budget is None else show(record.budget),
            expires_at=record.expires_at,
            status=record.status,
            secrets=len(record.hashes),
            created_at=record.created_at,
            **more,
        )


class NewKeyRow(KeyRow):
    """A key with a new secret, which is in this answer only."""

    secret: str


class WhatsAppNumber(OperatorRequest, WhatsAppCredentials):
    """A phone number of the WhatsApp Cloud API, and whether unsigned callbacks are accepted."""

    @property
    def credentials(self) -> WhatsAppCredentials:
        """What is stored."""
        return WhatsAppCredentials(**self.model_dump(exclude={"reason"}))


class TwilioNumber(OperatorRequest, TwilioCredentials):
    """A phone number of a Twilio account."""

    @property
    def credentials(self) -> TwilioCredentials:
        """What is stored."""
        return TwilioCredentials(**self.model_dump(exclude={"reason"}))


class IntegrationRow(BaseModel):
    """The stored credentials, secrets masked."""

    provider: str
    fields: dict[str, str | bool | None]


def _or_any(names: list[str] | None) -> frozenset[str]:
    """All, unless some are given: an empty list, such as of an unset variable, is refused and never opens."""
    return ANY if names is None else frozenset(names)
