"""Chat in every dialect as a billed service: a request becomes priced work for the models that may serve it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from callmissed.catalog.model import Catalog, DialectName, Model, routing_suffix
from callmissed.errors import ApiError
from callmissed_ai.dialects.dialect import Asked
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.preferences.request_field import preferences_of
from callmissed_ai.preferences.wishes import Sort
from callmissed_ai.services.conversations.betas import beta_names, parse_betas, restricted_to_betas
from callmissed_ai.services.conversations.models import asked_models, chat_model, models_with_room
from callmissed_ai.services.conversations.requests import SORTS, CallerRequest, translated_requests
from callmissed_ai.services.conversations.work import PERMISSION, ChatWork
from callmissed_ai.services.fields import restricted
from callmissed_ai.services.models import in_service
from callmissed_ai.services.service import Service

DEFAULT_OUTPUT_TOKENS = 16_384
"""Output limit that a call without one gets, if its model allows as much."""


def chat_service(dialect: DialectName, beta_header: Sequence[str] = (), *, stores: bool = False) -> Service:
    """Chat in `dialect`, which is imported with the first call. `beta_header` has the values of `anthropic-beta`."""

    def closing(error: ApiError, request_id: str) -> bytes:
        return open_dialect(dialect).closing(error, request_id)

    return Service(
        PERMISSION,
        partial(parse, dialect, beta_header=beta_header),
        closing,
        continues=stores,
        stores=stores,
        header_values=sorted(beta_names(beta_header)),
    )


def parse(
    dialect: DialectName, catalog: Catalog, body: Mapping[str, Any], size: int, *, beta_header: Sequence[str] = ()
) -> ChatWork:
    """The work of a `body` of `size` bytes in `dialect`. Raises ApiError 400, 404 or 503 for what no model can do."""
    caller = open_dialect(dialect)
    caller.check_size(body, size)
    body = caller.without_neutral_values(body)
    asked = caller.ask(body, size)
    named = {model_id: chat_model(catalog, caller, model_id) for model_id in asked.model_ids}
    models = in_service(asked_models(catalog, asked, named))
    models = restricted(catalog, dialect, models, caller.further_fields(body))
    betas = parse_betas(beta_header)
    models = models_with_room(restricted_to_betas(catalog, models, betas), asked)
    request = CallerRequest(
        caller=caller,
        dialects=catalog.dialects,
        providers=catalog.providers,
        body=body,
        asked=asked,
        translated=translated_requests(caller, body),
        preferences=preferences_of(asked.provider, _sorts(named)),
        betas=betas,
    )
    limit = min(asked.output_limits.values(), default=None)
    return ChatWork(
        request=request,
        model_id=named[asked.model].id,
        models=models,
        output_tokens=_default_limit(asked, models) if limit is None else limit,
        implicit_limit=limit is None,
    )


def count_tokens(dialect: DialectName, catalog: Catalog, body: Mapping[str, Any], size: int) -> int:
    """Our own count of the input tokens of a `body`, at most the model's window. Raises ApiError 400, 404, 503.

    It takes up to a second for a long body: run it in a thread.
    """
    caller = open_dialect(dialect)
    caller.check_size(body, size)
    asked = caller.ask({**body, caller.limit_field: 1}, size)
    (model,) = in_service([chat_model(catalog, caller, asked.model)])
    return caller.count(body, model.context_window)


def _default_limit(asked: Asked, models: tuple[Model, ...]) -> int:
    return min(DEFAULT_OUTPUT_TOKENS + asked.thinking_budget, max(model.max_output_tokens for model in models))


def _sorts(named: Mapping[str, Model]) -> Mapping[str, Sort]:
    """By what the models that were asked for with a suffix are sorted; the first name of a model counts."""
    sorts: dict[str, Sort] = {}
    for name, model in named.items():
        if name != model.id and (suffix := routing_suffix(name)):
            sorts.setdefault(model.id, SORTS[suffix])
    return sorts
