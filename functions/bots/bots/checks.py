"""Checks of a whole configuration: what is refused, and what is only warned of."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, cast

from pydantic import AfterValidator, ValidationError, WithJsonSchema

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category
from functions.bots.bots.config import BotConfig
from functions.bots.bots.credentials import masked

MAX_CONFIG_BYTES = 64 * 1024
MAX_DEPTH = 16


def readable(config: dict[str, Any]) -> dict[str, Any]:
    """`config` as it was sent, which can be stored and shown. Raises ValueError."""
    if _is_deeper(config, MAX_DEPTH):
        raise ValueError(f"it has more than {MAX_DEPTH} levels")
    try:
        size = len(json.dumps(config, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise ValueError("it has a text that is no Unicode, or a number that is none in JSON") from None
    if size > MAX_CONFIG_BYTES:
        raise ValueError(f"it is larger than {MAX_CONFIG_BYTES} bytes")
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


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested deeper. It looks level by level, without recursion."""
    level: list[Any] = [value]
    for _ in range(levels + 1):
        level = [inner for each in level for inner in _inside(each)]
    return bool(level)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


ConfigObject = Annotated[dict[str, Any], AfterValidator(checked_config), WithJsonSchema(BotConfig.model_json_schema())]
"""A configuration in a request."""

ReadableObject = Annotated[dict[str, Any], AfterValidator(readable)]
"""A configuration to check."""
