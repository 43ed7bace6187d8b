"""API models of keys; docs/api/openapi.json is made from them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from callmissed.keys.policy import ANY, KeyPolicy
from callmissed.keys.records import ApiKey
from callmissed.money import CREDIT, MicroCredits, credits
from callmissed.web.schemas import RequestModel

Names = Annotated[str, Field(max_length=4096, description="Separated by commas, or `*` for all.")]


class NewApiKey(RequestModel):
    """A key to create."""

    name: str = Field(min_length=1, max_length=255)
    mode: Literal["live", "test"] = "live"
    permissions: Names = "*"
    scopes: Names = ""
    allowed_domains: Names = "*"
    allowed_models: Names = "*"
    rate_limit_rpm: int | None = Field(default=None, ge=1)
    budget_limit: float | None = Field(default=None, ge=0, description="Credits a month.")

    @property
    def policy(self) -> KeyPolicy:
        """What the key may do."""
        budget = None if self.budget_limit is None else MicroCredits(round(self.budget_limit * CREDIT))
        return KeyPolicy(
            permissions=_names(self.permissions),
            scopes=_names(self.scopes),
            domains=_names(self.allowed_domains),
            models=_names(self.allowed_models),
            rpm=self.rate_limit_rpm,
            budget=budget,
        )


class ApiKeyOut(BaseModel):
    """A key. `key` is the secret, which is shown once; `masked` is enough to recognise it."""

    id: str
    name: str
    key: str | None = None
    masked: str
    mode: str
    permissions: str
    scopes: str
    allowed_domains: str
    allowed_models: str
    rate_limit_rpm: int
    budget_limit: float | None
    is_active: bool
    created_at: str

    @classmethod
    def of(cls, key: ApiKey, secret: str | None = None) -> Self:
        """The key, with its secret if it is new."""
        return cls(
            id=key.key_id,
            name=key.name,
            key=secret,
            masked=key.masked,
            mode=key.mode,
            permissions=",".join(key.permissions),
            scopes=",".join(key.scopes),
            allowed_domains=",".join(sorted(key.domains)),
            allowed_models=",".join(key.models),
            rate_limit_rpm=key.rpm,
            budget_limit=None if key.budget is None else credits(key.budget),
            is_active=key.is_active,
            created_at=key.created_at,
        )


def _names(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    return ANY if names >= ANY else names
