"""Values of `anthropic-beta`: which of them reach which providers.

A beta changes Anthropic's API for one request. Most change what a request may hold, and its fields are closed by
themselves. Some change the price by themselves, or announce hosted tools: they need a provider's row that admits them,
as fields do. A provider of another dialect has no such header, so the others end there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from callmissed.catalog.model import Catalog, Model, ProviderSettings
from callmissed.errors import ApiError, invalid_request

HEADER = "anthropic-beta"
MAX_BETAS = 32
ALL = "*"
"""In a row's `unpriced_betas`: all betas that are not known to have a price."""

_BETA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
PRICED = frozenset(
    {
        *("code-execution", "context-1m", "fast-mode", "files-api", "managed-agents", "mcp-client", "mcp-servers"),
        *("skills", "web-fetch", "web-search"),
    }
)
"""Betas without their dates that Anthropic charges for by more than the tokens at the usual price."""


def beta_names(values: Sequence[str]) -> tuple[str, ...]:
    """What stands in the header's `values`, which are one list, each once."""
    return tuple(dict.fromkeys(name for value in values for part in value.split(",") if (name := part.strip())))


def parse_betas(values: Sequence[str]) -> tuple[str, ...]:
    """The betas in the header's `values`, each once. Raises ApiError 400."""
    if not values:
        return ()
    betas = beta_names(values)
    if len(betas) > MAX_BETAS or not all(map(_BETA.fullmatch, betas)):
        message = f"Invalid '{HEADER}': at most {MAX_BETAS} names of letters, digits, dots, dashes and underscores."
        raise invalid_request(message, HEADER)
    return betas


def restricted_to_betas(catalog: Catalog, models: tuple[Model, ...], betas: Sequence[str]) -> tuple[Model, ...]:
    """`models`, each with those routes alone whose providers admit every beta that may have a price.

    Models without such a route are skipped. Raises ApiError 400 `unsupported_field` for the first beta that leaves no
    model.
    """
    for beta in betas:
        if _family(beta) in PRICED:
            left = tuple(filter(None, (_restricted(catalog, model, beta) for model in models)))
            if not left:
                raise _unsupported(models[0], beta)
            models = left
    return models


def beta_headers(provider: ProviderSettings, betas: Sequence[str]) -> Mapping[str, str]:
    """The header with those of `betas` that `provider` gets."""
    if not betas:
        return {}
    passed = [beta for beta in betas if _passes(provider, beta)]
    return {HEADER: ",".join(passed)} if passed else {}


def _restricted(catalog: Catalog, model: Model, beta: str) -> Model | None:
    routes = tuple(route for route in model.routes if _passes(catalog.providers[route.provider], beta))
    if routes == model.routes:
        return model
    return replace(model, routes=routes) if routes else None


def _unsupported(model: Model, beta: str) -> ApiError:
    message = (
        f"The beta '{beta}' can't be used with '{model.id}': it is not known to leave the price unchanged. "
        "See docs/providers.md."
    )
    return invalid_request(message, HEADER, "unsupported_field")


def _passes(provider: ProviderSettings, beta: str) -> bool:
    family = _family(beta)
    admitted = provider.unpriced_betas
    return family in admitted or (ALL in admitted and family not in PRICED)


def _family(beta: str) -> str:
    """A beta without its date."""
    return _DATE.sub("", beta)
