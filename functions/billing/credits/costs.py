"""What services cost, by the catalog of the stage."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callmissed.money import MicroCredits
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from callmissed.catalog.model import Catalog, Model

_TOKENS = "million_tokens"


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """Micro-credits for one `unit` of a model's work: one price, or those of input and output."""

    service: str
    model: str
    unit: str
    price: MicroCredits | None = None
    input: MicroCredits | None = None
    output: MicroCredits | None = None


class ServiceCosts:
    """The prices in the stage's catalog, which is read when they are first asked for."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._costs: list[ServiceCost] | None = None

    async def all(self) -> list[ServiceCost]:
        """The price of each model that has one, by service. Raises CatalogError for an unreadable operator's file."""
        if self._costs is None:
            from callmissed.catalog.loader import read_catalog  # few calls of the slice need it

            self._costs = _costs(await asyncio.to_thread(read_catalog, self._settings))
        return self._costs


def _costs(catalog: "Catalog") -> list[ServiceCost]:
    found = [_cost(model) for model in catalog.models.values()]
    return sorted((cost for cost in found if cost), key=lambda cost: (cost.service, cost.model))


def _cost(model: "Model") -> ServiceCost | None:
    service = str(model.category)
    if model.price:
        priced = MicroCredits(model.price.input), MicroCredits(model.price.output)
        return ServiceCost(service, model.id, _TOKENS, input=priced[0], output=priced[1])
    if model.unit_price:
        return ServiceCost(service, model.id, model.unit_price.unit, price=MicroCredits(model.unit_price.amount))
    return None
