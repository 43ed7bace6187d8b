"""API models of tenants; docs/api/openapi.json is made from them."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StrictBool, StringConstraints, field_validator

from callmissed.tenants.tenants import Tenant, TenantSettings, checked_name
from callmissed.web.schemas import RequestModel
from functions.auth.tenant.service import Onboarding

SearchProvider = Literal["google", "exa", "serper", "firecrawl"]
PreferenceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
PreferenceValue = Annotated[str, Field(max_length=256)] | StrictBool | Annotated[int, Field(ge=-(2**53), le=2**53)]
_MAX_PREFERENCES = 50
_MAX_PREFERENCES_BYTES = 2048
"""The tenant's record is read with every call of a person: below 4 KB it takes one read unit."""
_DEFAULTS = TenantSettings()


class TenantChanges(RequestModel):
    """Changes of the tenant. What is not named stays; `null` sets a setting back to its default."""

    name: str = Field(default="", min_length=1, max_length=255)
    preferences: dict[PreferenceName, PreferenceValue] | None = Field(default=None, max_length=_MAX_PREFERENCES)
    default_search_provider: SearchProvider | None = None
    prompt_log_retention_days: int | None = Field(default=None, ge=1, le=365)
    conversation_retention_days: int | None = Field(default=None, ge=1, le=3650)

    @field_validator("preferences")
    @classmethod
    def are_small(cls, preferences: dict[str, Any] | None) -> dict[str, Any] | None:
        """Refuse preferences that would make the tenant's record large."""
        if len(json.dumps(preferences, ensure_ascii=False).encode()) > _MAX_PREFERENCES_BYTES:
            raise ValueError(f"preferences have at most {_MAX_PREFERENCES_BYTES} bytes")
        return preferences


class TenantSettingsOut(BaseModel):
    """The tenant. `conversation_retention_days` is null where conversations are kept as long as the account."""

    id: str
    name: str
    slug: str
    plan: str
    status: str
    is_active: bool
    created_at: str
    owner_id: str
    team_members: int
    preferences: dict[str, str | bool | int]
    default_search_provider: str | None
    prompt_log_retention_days: int
    conversation_retention_days: int | None

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """The tenant."""
        return cls(
            id=tenant.tenant_id,
            name=tenant.name,
            slug=tenant.slug,
            plan=str(tenant.plan),
            status=str(tenant.status),
            is_active=tenant.is_active,
            created_at=tenant.created_at,
            owner_id=tenant.owner,
            team_members=tenant.seats,
            preferences=dict(tenant.settings.preferences),
            default_search_provider=tenant.settings.default_search_provider,
            prompt_log_retention_days=tenant.settings.prompt_log_retention_days,
            conversation_retention_days=tenant.settings.conversation_retention_days,
        )


class OnboardingOut(BaseModel):
    """What the tenant has done so far."""

    api_key_created: bool
    first_call_made: bool
    team_invited: bool
    completed: bool

    @classmethod
    def of(cls, state: Onboarding) -> Self:
        """The state; the team is optional."""
        return cls(
            api_key_created=state.has_key,
            first_call_made=state.has_called,
            team_invited=state.has_invited,
            completed=state.has_key and state.has_called,
        )


def changes_of(body: TenantChanges) -> dict[str, Any]:
    """What the body names, with the default in the place of null. Raises ApiError 400 for the name."""
    named = body.model_dump(exclude_unset=True)
    changes = {name: getattr(_DEFAULTS, name) if value is None else value for name, value in named.items()}
    return changes | ({"name": checked_name(named["name"])} if "name" in named else {})
