"""What a new catalog changes: models with their prices, providers, and what an operator should look at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TypeVar

from callmissed.catalog.model import SANDBOX, Catalog, Model, ProviderRoute
from callmissed.money import NOTHING, MicroCredits, show

TOKENS = "million_tokens"
_INPUT = "input"
_OF_CACHES = ("cached_input", "cache_write")
_PRICE_FIELDS = ("price", "unit_price")
_Row = TypeVar("_Row")


class ChangeKind(StrEnum):
    """What happens to a row of the catalog."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Concern(StrEnum):
    """Why an operator should look at a model before the import."""

    BELOW_LIST_PRICE = "below_list_price"
    FREE = "free"
    LARGE_CHANGE = "large_change"
    NAME_REMOVED = "name_removed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price for one `unit`, before and after; None where the model has, or had, none of this name."""

    name: str
    unit: str
    old: MicroCredits | None
    new: MicroCredits | None

    @property
    def percent(self) -> float | None:
        """The change in percent of the old price; None where there is no old price, no new one, or the old one is 0."""
        if not self.old or self.new is None:
            return None
        return round((self.new - self.old) * 100 / self.old, 1)

    @property
    def is_large(self) -> bool:
        """Whether it changes by more than a half, or begins to cost something."""
        return self.old is not None and self.new is not None and 2 * abs(self.new - self.old) > self.old


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model whose row differs, with the prices that differ, and names of other `fields` that do."""

    model: str
    kind: ChangeKind
    prices: tuple[PriceChange, ...]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """A provider whose row differs."""

    provider: str
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class PriceWarning:
    """Something worth a look. `name` is a model's id or alias."""

    concern: Concern
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class CatalogComparison:
    """The differences between two catalogs, by name."""

    models: tuple[ModelChange, ...]
    providers: tuple[ProviderChange, ...]
    warnings: tuple[PriceWarning, ...]


def compare(old: Catalog, new: Catalog, built_in: Catalog) -> CatalogComparison:
    """The differences from `old` to `new`. Prices of `built_in` are those of the providers' lists."""
    models = tuple(
        ModelChange(name, kind, _price_changes(before, after), _other_fields(before, after))
        for name, kind, before, after in _differences(old.models, new.models)
    )
    providers = tuple(ProviderChange(name, kind) for name, kind, _, _ in _differences(old.providers, new.providers))
    warnings = (*_price_warnings(models, new, built_in), *_removed_names(old, new))
    return CatalogComparison(models, providers, warnings)


def _differences(
    old: Mapping[str, _Row], new: Mapping[str, _Row]
) -> Iterator[tuple[str, ChangeKind, _Row | None, _Row | None]]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before is None:
            yield name, ChangeKind.ADDED, before, after
        elif after is None:
            yield name, ChangeKind.REMOVED, before, after
        elif before != after:
            yield name, ChangeKind.CHANGED, before, after


def _prices(model: Model | None) -> dict[tuple[str, str], MicroCredits]:
    """The prices that a row states, by name and unit."""
    if model and model.unit_price:
        return {("unit_price", model.unit_price.unit): MicroCredits(model.unit_price.amount)}
    if model is None or model.price is None:
        return {}
    stated = {name: getattr(model.price, name) for name in (_INPUT, "output", *_OF_CACHES)}
    return {(name, TOKENS): MicroCredits(amount) for name, amount in stated.items() if amount is not None}


def _price_changes(old: Model | None, new: Model | None) -> tuple[PriceChange, ...]:
    before, after = _prices(old), _prices(new)
    changes = (PriceChange(*key, _amount(before, key), _amount(after, key)) for key in {**before, **after})
    return tuple(change for change in changes if change.old != change.new)


def _amount(prices: Mapping[tuple[str, str], MicroCredits], key: tuple[str, str]) -> MicroCredits | None:
    """The price of that name; input at a cache costs what other input does, where the row states nothing else."""
    name, unit = key
    return prices.get(key, prices.get((_INPUT, unit)) if name in _OF_CACHES else None)


def _other_fields(old: Model | None, new: Model | None) -> tuple[str, ...]:
    if old is None or new is None:
        return ()
    names = (each.name for each in fields(Model) if each.name not in _PRICE_FIELDS)
    return tuple(name for name in names if getattr(old, name) != getattr(new, name))


def _price_warnings(changes: tuple[ModelChange, ...], new: Catalog, built_in: Catalog) -> Iterator[PriceWarning]:
    listed = {route: model for model in built_in.models.values() for route in model.routes if route.provider != SANDBOX}
    for change in changes:
        if model := new.models.get(change.model):
            yield from _free(change, model)
            yield from _large(change)
            yield from _below_list_price(change, model, listed)


def _free(change: ModelChange, model: Model) -> Iterator[PriceWarning]:
    if not any(_prices(model).values()) and any(price.old for price in change.prices):
        yield PriceWarning(Concern.FREE, change.model, "becomes free")


def _large(change: ModelChange) -> Iterator[PriceWarning]:
    for price in change.prices:
        if price.is_large:
            text = f"{price.name} changes from {show(price.old or NOTHING)} to {show(price.new or NOTHING)} credits"
            yield PriceWarning(Concern.LARGE_CHANGE, change.model, text)


def _below_list_price(
    change: ModelChange, model: Model, listed: Mapping[ProviderRoute, Model]
) -> Iterator[PriceWarning]:
    own = _prices(model)
    for route in model.routes:
        for key, price in _prices(listed.get(route)).items():
            amount = _amount(own, key)
            if amount is not None and amount < price:
                text = f"{key[0]} is {show(amount)} credits; {route.provider} asks {show(price)} by its price list"
                yield PriceWarning(Concern.BELOW_LIST_PRICE, change.model, text)


def _removed_names(old: Catalog, new: Catalog) -> Iterator[PriceWarning]:
    for name in sorted(_names(old) - _names(new)):
        yield PriceWarning(Concern.NAME_REMOVED, name, "no longer exists; keys and bots that name it get errors")


def _names(catalog: Catalog) -> set[str]:
    return {name for model in catalog.models.values() for name in (model.id, *model.aliases)}
