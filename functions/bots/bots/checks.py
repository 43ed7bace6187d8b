"""Checks of a whole configuration: what is refused, and what is only warned of."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError, WithJsonSchema

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category
from functions.bots.bots.config import BotConfig
from functions.bots.bots.credentials import masked
from functions.bots.json_values import check_json

MAX_CONFIG_BYTES = 64 * 1024


def readable(config: dict[str, Any]) -> dict[str, Any]:
    """`config` as it was sent, which can be stored and shown. Raises ValueError."""
    check_json(config, MAX_CONFIG_BYTES)
    _, values = masked(config)
    if sum(len(str(name)) for path in values for name in path) > MAX_CONFIG_BYTES:
        raise ValueError(f"its credentials are beneath names of more than {MAX_CONFIG_BYTES} characters in all")
    return config


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """`config` as it was sent. Raises ValueError, of which pydantic's has the place of each problem."""
    readable(config)
    BotConfig.model_validate(config)
    return config


def problems_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Place and description of everything for which `checked_config` refuses a readable configuration."""
    try:
        checked_config(config)
    except ValidationError as error:
        return [{"loc": ["config", *problem["loc"]], "msg": problem["msg"]} for problem in error.errors()]
    return []


def warnings_of(config: Mapping[str, Any] | None) -> list[str]:
    """What a configuration has that may be a mistake."""
    config = config or {}
    unknown = [f"'{name}' is no field that we know." for name in config if name not in BotConfig.model_fields]
    model = config.get("model")
    if isinstance(model, str) and not _is_chat_model(model):
        unknown.append(f"The catalog has no chat model '{model}'.")
    return unknown


def _is_chat_model(model_id: str) -> bool:
    model = _catalog().find(model_id)
    return model is not None and model.category is Category.LLM


@cache
def _catalog() -> Catalog:
    return load_catalog()


ConfigObject = Annotated[dict[str, Any], AfterValidator(checked_config), WithJsonSchema(BotConfig.model_json_schema())]
"""A configuration in a request."""

ReadableObject = Annotated[dict[str, Any], AfterValidator(readable)]
"""A configuration to check."""
