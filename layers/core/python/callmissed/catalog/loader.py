"""Reads the catalog: the built-in rows beside this module, then the operator's file, which overrides them.

The built-in rows are checked by a unit test rather than at every start; the operator's are checked by
`operator_file`, the only module here that needs Pydantic, imported only when there is such a file.
"""

import tomllib
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from callmissed.aws.start import retry_while_denied
from callmissed.catalog.model import (
    LISTED_SINCE,
    SET_FIELDS,
    Catalog,
    CatalogError,
    Category,
    Model,
    ProviderRoute,
    ProviderSettings,
    resolved,
)
from callmissed.catalog.prices import micro_credits, token_price, unit_price
from callmissed.settings import CoreSettings

_ROWS = Path(__file__).parent / "rows"
_MODEL_FILES = ("direct", "frontier", "realtime", "audio", "image", "embedding", "search", "sandbox")


def load_catalog(
    operator_toml: str | None = None,
    environment: Mapping[str, str] | None = None,
    source: str = "operator's file",
) -> Catalog:
    """The built-in catalog, with the operator's providers and models added, or replacing built-in ones.

    `environment` fills the `${NAME}` placeholders of the providers; those it doesn't set stay. `source` names the
    operator's file in errors. Raises CatalogError.
    """
    catalog = _built_in()
    if operator_toml is not None:
        from callmissed.catalog.operator_file import merged

        catalog = merged(catalog, operator_toml, source)
    if environment is None:
        return catalog
    return Catalog(catalog.models, {name: resolved(row, environment) for name, row in catalog.providers.items()})


def read_catalog(settings: CoreSettings) -> Catalog:
    """The catalog of a stage, with the operator's providers file on top. Raises CatalogError."""
    operator_file = read_operator_file(settings.providers_file) if settings.providers_file else None
    return load_catalog(operator_file, source=settings.providers_file)


def read_operator_file(source: str) -> str:
    """Text of the operator's file at `source`: a path, `ssm:<parameter name>` or `s3://bucket/key`.

    Raises CatalogError when it can't be read. A right that is denied may be on its way: see `retry_while_denied`.
    """
    try:
        if source.startswith("ssm:"):
            return retry_while_denied(lambda: _read_parameter(source.removeprefix("ssm:")))
        if source.startswith("s3://"):
            return retry_while_denied(lambda: _read_object(source))
        return Path(source).read_text(encoding="utf-8")
    except Exception as error:  # botocore's errors have no other common base, and naming it would import botocore
        raise CatalogError(f"{source}: can't be read: {' '.join(str(error).split())}") from error


def _built_in() -> Catalog:
    providers = {name: _provider(name, row) for name, row in _rows("providers")["providers"].items()}
    models: dict[str, Model] = {}
    for name in _MODEL_FILES:
        models |= _models(_rows(name))
    return Catalog(models, providers)


def _rows(name: str) -> dict[str, Any]:
    return tomllib.loads((_ROWS / f"{name}.toml").read_text(encoding="utf-8"), parse_float=Decimal)


def _models(document: dict[str, Any]) -> dict[str, Model]:
    defaults = document["defaults"]
    efforts = document.get("reasoning_efforts", {})
    return {row["id"]: _model(defaults | row, efforts) for row in document["models"]}


def _provider(name: str, row: dict[str, Any]) -> ProviderSettings:
    sets = {field: frozenset(row.pop(field, ())) for field in SET_FIELDS}
    return ProviderSettings(name=name, **sets, **row)


def _model(row: dict[str, Any], efforts: Mapping[str, Mapping[str, str]]) -> Model:
    provider, upstream_id = row.pop("provider", None), row.pop("upstream_id", row["id"])
    routes = row.pop("routes", None) or [(provider, upstream_id)]
    if "input" in row:
        cache = {name: micro_credits(row.pop(name)) for name in ("cached_input", "cache_write") if name in row}
        row["price"] = token_price(micro_credits(row.pop("input")), micro_credits(row.pop("output")), **cache)
    if "unit" in row:
        row["unit_price"] = unit_price(micro_credits(row.pop("unit_price")), row.pop("unit"))
    if "reasoning_efforts" in row:
        row["reasoning_efforts"] = efforts[row["reasoning_efforts"]]
    row["category"] = Category(row["category"])
    row["aliases"], row["vector_sizes"] = tuple(row.get("aliases", ())), tuple(row.get("vector_sizes", ()))
    row["voices"] = tuple(row.get("voices", ()))
    row["routes"] = tuple(ProviderRoute(*route) for route in routes)
    return Model(created=LISTED_SINCE, **row)


def _read_parameter(name: str) -> str:
    with closing(_aws("ssm")) as ssm:
        return ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]


def _read_object(url: str) -> str:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    with closing(_aws("s3")) as s3:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def _aws(service: str) -> Any:
    import boto3

    return cast(Any, boto3).client(service)
