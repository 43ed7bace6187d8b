"""API models of keys; docs/api/openapi.json is made from them."""

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from callmissed.clock import SECOND, micros_at
from callmissed.keys.changes import PolicyChanges
from callmissed.keys.policy import ANY, MAX_RPM, NEVER, KeyPolicy
from callmissed.keys.rates import burst
from callmissed.keys.records import ApiKey
from callmissed.keys.state import KeyState
from callmissed.money import CREDIT, MicroCredits, credits
from callmissed.web.schemas import RequestModel

MAX_CREDITS = 10**12
_MAX_OVERLAP_HOURS = 24
_FIELDS = {
    "permissions": "permissions",
    "scopes": "scopes",
    "allowed_domains": "domains",
    "allowed_models": "models",
    "allowed_search_providers": "search_providers",
    "rate_limit_rpm": "rpm",
    "budget_limit": "budget",
    "expires_at": "expires",
    "logs_enabled": "logs_enabled",
    "prompt_logging_enabled": "prompt_logging_enabled",
}
"""Fields of the API by which those of `KeyPolicy` are set."""

Names = Annotated[str, Field(max_length=8192, description="Separated by commas, or `*` for all.")]
KeyName = Annotated[str, Field(min_length=1, max_length=255)]


class _KeyForm(RequestModel):
    """What a key may do."""

    permissions: Names = "*"
    scopes: Names = ""
    allowed_domains: Names = "*"
    allowed_models: Names = Field(default="*", description="Ids or aliases of the catalog, separated by commas.")
    allowed_search_providers: Names = "*"
    rate_limit_rpm: int | None = Field(
        default=None, ge=1, le=MAX_RPM, description="Requests a minute; null for those of the plan."
    )
    budget_limit: float | None = Field(
        default=None, ge=0, lt=MAX_CREDITS, allow_inf_nan=False, description="Credits a month; null for no limit."
    )
    expires_at: AwareDatetime | None = Field(default=None, description="Null for never.")
    logs_enabled: bool = False
    prompt_logging_enabled: bool = False

    def _values(self) -> dict[str, Any]:
        """The fields of `KeyPolicy`, by the names that they have here."""
        budget = None if self.budget_limit is None else MicroCredits(round(self.budget_limit * CREDIT))
        return {
            "permissions": _names(self.permissions),
            "scopes": _names(self.scopes),
            "allowed_domains": _names(self.allowed_domains),
            "allowed_models": _names(self.allowed_models),
            "allowed_search_providers": _names(self.allowed_search_providers),
            "rate_limit_rpm": self.rate_limit_rpm,
            "budget_limit": budget,
            "expires_at": NEVER if self.expires_at is None else micros_at(self.expires_at),
            "logs_enabled": self.logs_enabled,
            "prompt_logging_enabled": self.prompt_logging_enabled,
        }


class NewApiKey(_KeyForm):
    """A key to create."""

    name: KeyName
    mode: Literal["live", "test"] = "live"

    @property
    def policy(self) -> KeyPolicy:
        """What the key may do."""
        return KeyPolicy(**{_FIELDS[name]: value for name, value in self._values().items()})


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class ChangedApiKey(_KeyForm):
    """Changes of a key. What the body does not name stays as it is."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: KeyName = ""
    is_active: bool = Field(default=True, description="False pauses the key, true resumes it.")

    @property
    def policy(self) -> PolicyChanges:
        """What the body names of what the key may do."""
        named = {_FIELDS[name]: value for name, value in self._values().items() if name in self.model_fields_set}
        return PolicyChanges(**named)


class KeyRotation(RequestModel):
    """How long the earlier secrets of a key still work."""

    overlap_hours: float = Field(default=0, ge=0, le=_MAX_OVERLAP_HOURS, allow_inf_nan=False)

    @property
    def overlap_minutes(self) -> int:
        """The overlap in whole minutes."""
        return round(self.overlap_hours * 60)


class LeakedKey(BaseModel):
    """A key that was found where it should not be."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str = Field(min_length=1, max_length=512, examples=["cm_live_…"])


class LeakReceived(BaseModel):
    """What is done with a report."""

    detail: str


class ApiKeyOut(BaseModel):
    """A key without its secret; `masked` is enough to recognise it.

    `status` is `active`, `paused` or `revoked`. `budget_used` and `budget_remaining` are of this month and null for a
    key without a budget, or revoked; during a rotation's overlap they count for all secrets together. `last_used_at`
    is right to within a minute.
    """

    id: str
    key_id: str
    name: str
    masked: str
    mode: str
    permissions: str
    scopes: str
    allowed_domains: str
    is_active: bool
    status: str
    logs_enabled: bool
    prompt_logging_enabled: bool
    budget_limit: float | None
    budget_used: float | None
    budget_remaining: float | None
    rate_limit_rpm: int
    rate_limit_from_plan: bool
    allowed_models: str
    allowed_search_providers: str
    secrets: int = Field(description="Secrets that work: more than one during a rotation's overlap.")
    expires_at: str | None
    last_used_at: str | None
    created_at: str

    @classmethod
    def of(cls, record: ApiKey, state: KeyState, **more: str) -> Self:
        """The key."""
        return cls(
            id=record.key_id,
            key_id=record.key_id,
            name=record.name,
            masked=record.masked,
            mode=record.mode,
            permissions=",".join(record.permissions),
            scopes=",".join(record.scopes),
            allowed_domains=",".join(sorted(record.domains)),
            is_active=record.is_active,
            status=record.status,
            logs_enabled=record.logs_enabled,
            prompt_logging_enabled=record.prompt_logging_enabled,
            budget_limit=_credits(record.budget),
            budget_used=_credits(state.used),
            budget_remaining=_credits(state.left),
            rate_limit_rpm=record.rpm,
            rate_limit_from_plan=record.rpm_from_plan,
            allowed_models=",".join(record.models),
            allowed_search_providers=",".join(record.search_providers),
            secrets=state.secrets,
            expires_at=record.expires_at,
            last_used_at=state.last_used_at,
            created_at=record.created_at,
            **more,
        )


class NewSecretOut(ApiKeyOut):
    """A key with its new secret, `key`, which is in this answer only."""

    key: str


class RateStateOut(BaseModel):
    """What a key may call now, by its newest secret, and what is left of its budget of the month."""

    key_id: str
    rate_limit_rpm: int
    burst_limit: int = Field(description="Calls at most at once.")
    requests_remaining: int = Field(description="Calls that may be made at once now.")
    reset_seconds: float = Field(description="Seconds until all of the burst may be made again.")
    budget_month: str = Field(examples=["2026-11"])
    budget_limit: float | None
    budget_used: float | None
    budget_remaining: float | None
    last_used_at: str | None

    @classmethod
    def of(cls, key: ApiKey, state: KeyState) -> Self:
        """The key's state."""
        return cls(
            key_id=key.key_id,
            rate_limit_rpm=key.rpm,
            burst_limit=burst(key.rpm),
            requests_remaining=state.rate.remaining,
            reset_seconds=state.rate.reset / SECOND,
            budget_month=f"{state.month // 100}-{state.month % 100:02}",
            budget_limit=_credits(key.budget),
            budget_used=_credits(state.used),
            budget_remaining=_credits(state.left),
            last_used_at=state.last_used_at,
        )


def _credits(amount: MicroCredits | None) -> float | None:
    return None if amount is None else credits(amount)


def _names(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    return ANY if names >= ANY else names
