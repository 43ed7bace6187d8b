"""Names of models that a key may call, checked against the catalog."""

import asyncio
from typing import TYPE_CHECKING

from callmissed.errors import invalid_request
from callmissed.keys.policy import ANY
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from callmissed.catalog.model import Catalog


class ModelNames:
    """The names in the stage's catalog, which is read when a key first names a model."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._catalog: Catalog | None = None

    async def resolved(self, names: frozenset[str]) -> frozenset[str]:
        """Ids of the models by ids and aliases, routing suffixes left out.

        Raises ApiError 400 for an unknown one, CatalogError for an operator's file that can't be read.
        """
        if names == ANY:
            return names
        if self._catalog is None:
            from callmissed.catalog.loader import read_catalog  # few calls of the slice need it

            self._catalog = await asyncio.to_thread(read_catalog, self._settings)
        return frozenset(_resolved(self._catalog, name) for name in sorted(names))


def _resolved(catalog: "Catalog", name: str) -> str:
    """The id; without its maker where callers of the Anthropic endpoint name it so."""
    model = catalog.find(name) or catalog.find(f"anthropic/{name}")
    if model is None:
        shown = name[:80].encode(errors="replace").decode()
        raise invalid_request(f"The model '{shown}' is not in the catalog. See GET /api/v1/models.", "allowed_models")
    return model.id
