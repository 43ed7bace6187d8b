"""The catalog in the form of Anthropic's models API: https://platform.claude.com/docs/en/api/models/list."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams

from callmissed.catalog.model import Catalog, Category, Model
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.anthropic_messages.request import full_model_id
from callmissed_ai.services.models import has_endpoint, model_not_found

MAX_LIMIT = 1_000
USUAL_LIMIT = 20

_OURS = (
    "aliases",
    "description",
    "category",
    "context_window",
    "context_length",
    "pricing",
    "free",
    "available",
    "unavailable_reason",
    "supports_streaming",
    "supports_tools",
    "supports_reasoning",
    "supports_vision",
)
"""Fields beside Anthropic's, which are those of every listing."""


def message_models(catalog: Catalog) -> list[Model]:
    """The models that a message can name."""
    return [model for model in catalog.listed(Category.LLM) if has_endpoint(model)]


def find_message_model(catalog: Catalog, model_id: str) -> Model:
    """The model of that id or alias, which may leave `anthropic/` out. Raises ApiError 404."""
    model = catalog.find(model_id) or catalog.find(full_model_id(model_id))
    if model is None or model.category is not Category.LLM or not has_endpoint(model):
        raise model_not_found(model_id)
    return model


def anthropic_model(row: Mapping[str, Any]) -> dict[str, Any]:
    """A model object, from the `row` of OpenAI's form."""
    return {
        "type": "model",
        "id": row["id"],
        "display_name": row["name"],
        "created_at": iso(Micros(row["created"] * SECOND)),
        "max_input_tokens": row["context_window"],
        "max_tokens": row["max_output_tokens"],
        "lifecycle": "active",
        "line": None,
        "capabilities": None,
        "deprecated_at": None,
        "retires_at": None,
        **{name: row[name] for name in _OURS},
    }


def anthropic_page(rows: Sequence[Mapping[str, Any]], query: QueryParams) -> dict[str, Any]:
    """The page of `rows` that `query` asks for. Raises ApiError 400."""
    ids = [row["id"] for row in rows]
    limit, after, before = _limit(query), _place(query, "after_id", ids), _place(query, "before_id", ids)
    if after is not None and before is not None:
        raise invalid_request("Only one of 'after_id' and 'before_id' can be given.", "before_id")
    if before is not None:
        first, last, more = max(0, before - limit), before, before > limit
    else:
        first = 0 if after is None else after + 1
        last, more = min(first + limit, len(rows)), first + limit < len(rows)
    page = [anthropic_model(row) for row in rows[first:last]]
    return {
        "data": page,
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _limit(query: QueryParams) -> int:
    given = query.get("limit", str(USUAL_LIMIT))
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else 0
    if not 1 <= number <= MAX_LIMIT:
        raise invalid_request(f"Invalid 'limit': a number from 1 to {MAX_LIMIT} is needed.", "limit")
    return number


def _place(query: QueryParams, name: str, ids: Sequence[str]) -> int | None:
    """Where in the list the model is that the cursor names. Raises ApiError 400 for one that is not listed."""
    cursor = query.get(name)
    if cursor is None:
        return None
    if cursor not in ids:
        raise _unknown_cursor(name)
    return ids.index(cursor)


def _unknown_cursor(name: str) -> ApiError:
    return invalid_request(f"Invalid '{name}': no model of the list has this id.", name)
