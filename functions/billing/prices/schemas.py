"""API models of the import of prices; docs/api/openapi.json is made from them."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from callmissed.money import MicroCredits, show
from callmissed.web.schemas import OperatorRequest, RequestModel
from functions.billing.prices.comparison import ChangeKind, Concern, ModelChange, PriceChange
from functions.billing.prices.service import CatalogSize, PricePreview

_MAX_LETTERS = 1_000_000
EFFECT = (
    "Functions that start from now on. To start all of them anew, put a new `revision` into cdk.json and deploy the "
    "stack `api`."
)


class ProvidersFile(RequestModel):
    """The operator's providers and models with their prices."""

    providers: str = Field(
        min_length=1,
        max_length=_MAX_LETTERS,
        description="The whole providers file (TOML); at most 8 KB in a parameter.",
    )


class NewPrices(ProvidersFile, OperatorRequest):
    """A providers file to put in force."""

    version: str = Field(pattern=r"^[0-9a-f]{32}-[0-9a-f]{32}$", description="The `version` of the file's preview.")


class PriceRow(BaseModel):
    """A price in credits for one `unit`, exact; null where there is none. `percent` is the change of the old price."""

    name: Literal["input", "output", "cached_input", "cache_write", "unit_price"]
    unit: str
    old: str | None
    new: str | None
    percent: float | None

    @classmethod
    def of(cls, price: PriceChange) -> Self:
        """The change of a price."""
        return cls.model_validate(
            {
                "name": price.name,
                "unit": price.unit,
                "old": _shown(price.old),
                "new": _shown(price.new),
                "percent": price.percent,
            }
        )


class ModelRow(BaseModel):
    """A model whose row differs: its prices, and the names of other `fields` that differ."""

    model: str
    change: ChangeKind
    prices: list[PriceRow]
    fields: list[str]

    @classmethod
    def of(cls, change: ModelChange) -> Self:
        """The change of a model."""
        prices = [PriceRow.of(price) for price in change.prices]
        return cls(model=change.model, change=change.kind, prices=prices, fields=list(change.fields))


class ProviderRow(BaseModel):
    """A provider whose row differs."""

    provider: str
    change: ChangeKind


class WarningRow(BaseModel):
    """What to look at before the import. `name` is a model's id or alias."""

    code: Concern
    name: str
    message: str


class SizeOut(BaseModel):
    """How many models and providers there are, built-in ones included."""

    models: int
    providers: int

    @classmethod
    def of(cls, size: CatalogSize) -> Self:
        """The size of a catalog."""
        return cls(models=size.models, providers=size.providers)


class PreviewOut(BaseModel):
    """What a providers file changes, compared with the one in force. `version` is for the import."""

    version: str
    added: int
    removed: int
    changed: int
    old: SizeOut
    new: SizeOut
    models: list[ModelRow]
    providers: list[ProviderRow]
    warnings: list[WarningRow]

    @classmethod
    def of(cls, preview: PricePreview) -> Self:
        """The preview."""
        found = preview.comparison
        kinds = [change.kind for change in found.models]
        return cls(
            version=str(preview.version),
            added=kinds.count(ChangeKind.ADDED),
            removed=kinds.count(ChangeKind.REMOVED),
            changed=kinds.count(ChangeKind.CHANGED),
            old=SizeOut.of(preview.old),
            new=SizeOut.of(preview.new),
            models=[ModelRow.of(change) for change in found.models],
            providers=[ProviderRow(provider=each.provider, change=each.kind) for each in found.providers],
            warnings=[WarningRow(code=each.concern, name=each.name, message=each.text) for each in found.warnings],
        )


class ImportOut(BaseModel):
    """The import. `imported` is false where the file was in force already."""

    version: str
    imported: bool
    models_changed: int
    takes_effect: str = EFFECT

    @classmethod
    def of(cls, version: str, preview: PricePreview, imported: bool) -> Self:
        """The import under `version`."""
        return cls(version=version, imported=imported, models_changed=len(preview.comparison.models))


def _shown(amount: MicroCredits | None) -> str | None:
    return None if amount is None else show(amount)
