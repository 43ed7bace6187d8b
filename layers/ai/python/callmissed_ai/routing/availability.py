"""Whether a model can be called here, and if not, why: no endpoint, maintenance, or no provider with its settings.

Names of missing environment variables are the operator's business: answers have them on the local stack, where operator
and caller are one person. A deployed stage writes them into its log.
"""

from collections.abc import Iterator, Mapping, Sequence

from callmissed.catalog.model import Catalog, Category, Model, missing_settings
from callmissed.errors import ApiError
from callmissed_ai.services.models import called, has_endpoint


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

    def not_configured(self, models: Sequence[Model]) -> ApiError:
        """503 for a call of `models`, none of which has a configured provider. SDKs need not retry it."""
        message = f"{called(models)} is not available. {self._unconfigured(*models)} Nothing was charged."
        param = "provider" if models[0].category is Category.SEARCH else "model"
        return ApiError(503, "provider_error", message, param=param, headers={"x-should-retry": "false"})

    def _unconfigured(self, *models: Model) -> str:
        use = "searches" if models[0].category is Category.SEARCH else "the model"
        if not self._names_variables:
            return f"No provider of {use} is configured."
        missing = (each for model in models for each in self._routes_missing(model))
        ways = dict.fromkeys(" and ".join(variables) for variables in missing)
        return f"No provider of {use} is configured: set {', or '.join(ways)}, and start the stack again."

    def _routes_missing(self, model: Model) -> Iterator[tuple[str, ...]]:
        return (self._provider_missing(route.provider) for route in model.routes)

    def _provider_missing(self, name: str) -> tuple[str, ...]:
        if name not in self._missing:
            self._missing[name] = tuple(missing_settings(self._catalog.providers[name], self._environment))
        return self._missing[name]
