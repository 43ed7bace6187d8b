"""Names of models that a key may call, checked against the catalog."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from callmissed.errors import invalid_request
from callmissed.keys.policy import ANY
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from callmissed.catalog.model import Catalog


def read_catalog(settings: CoreSettings) -> "Catalog":
    """The catalog of the stage. Raises CatalogError for an operator's file that can't be read."""
    from callmissed.catalog.loader import load_catalog, read_operator_file  # only keys that name models need it

    source = settings.providers_file
    return load_catalog(read_operator_file(source) if source else None, source=source)


class ModelNames:
    """The names in the catalog, which `load` reads when a key first names a model."""

    def __init__(self, load: "Callable[[], Catalog]") -> None:
        self._load = load
        self._catalog: Catalog | None = None

    async def resolved(self, names: frozenset[str]) -> frozenset[str]:
        """Ids of the models by ids and aliases, routing suffixes left out. Raises ApiError 400 for an unknown one."""
        if names == ANY:
            return names
        if self._catalog is None:
            self._catalog = await asyncio.to_thread(self._load)
        return frozenset(_resolved(self._catalog, name) for name in sorted(names))


def _resolved(catalog: "Catalog", name: str) -> str:
    """The id; without its maker where callers of the Anthropic endpoint name it so."""
    model = catalog.find(name) or catalog.find(f"anthropic/{name}")
    if model is None:
        shown = name[:80].encode(errors="replace").decode()
        raise invalid_request(f"The model '{shown}' is not in the catalog. See GET /api/v1/models.", "allowed_models")
    return model.id
