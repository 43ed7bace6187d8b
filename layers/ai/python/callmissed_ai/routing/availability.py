"""Whether a model can be called here, and if not, why: no endpoint, maintenance, or no provider with its settings.

Names of missing environment variables are the operator's business: answers have them on the local stack, where operator
and caller are one person. A deployed stage writes them into its log.
"""

from collections.abc import Iterator, Mapping

from callmissed.catalog.model import Catalog, Model, missing_settings
from callmissed.errors import ApiError
from callmissed_ai.services.models import has_endpoint


class Availability:
    """Availability of the models of `catalog` with the variables of `environment`, which are read once."""

    def __init__(self, catalog: Catalog, environment: Mapping[str, str], *, names_variables: bool = False) -> None:
        self._catalog = catalog
        self._environment = environment
        self._names_variables = names_variables
        self._missing: dict[str, tuple[str, ...]] = {}

    def reason(self, model: Model, *, sandboxed: bool = False) -> str | None:
        """Why `model` can't be called, in one sentence; None when it can. `sandboxed` calls need no provider."""
        if not has_endpoint(model):
            return "No endpoint serves this kind of model yet."
        if model.status == "maintenance":
            advice = f"; use '{model.fallback}' meanwhile" if model.fallback else ""
            return f"Under maintenance{advice}."
        return None if sandboxed or self.is_configured(model) else self._unconfigured(model)

    def is_configured(self, model: Model) -> bool:
        """Whether a provider of `model` has all its settings."""
        return not all(self._routes_missing(model))

    def has_settings(self, provider: str) -> bool:
        """Whether the provider of that name has all its settings."""
        return not self._provider_missing(provider)

    def not_configured(self, model: Model) -> ApiError:
        """503 for a call of `model`, which has no configured provider. SDKs need not retry it."""
        message = f"The model '{model.id}' is not available. {self._unconfigured(model)} Nothing was charged."
        return ApiError(503, "provider_error", message, param="model", headers={"x-should-retry": "false"})

    def _unconfigured(self, model: Model) -> str:
        if not self._names_variables:
            return "No provider of the model is configured."
        ways = dict.fromkeys(" and ".join(missing) for missing in self._routes_missing(model))
        return f"No provider of the model is configured: set {', or '.join(ways)}, and start the stack again."

    def _routes_missing(self, model: Model) -> Iterator[tuple[str, ...]]:
        return (self._provider_missing(route.provider) for route in model.routes)

    def _provider_missing(self, name: str) -> tuple[str, ...]:
        if name not in self._missing:
            self._missing[name] = tuple(missing_settings(self._catalog.providers[name], self._environment))
        return self._missing[name]
