"""Validates an operator's file and merges its providers and models into the built-in catalog."""

import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from callmissed.catalog.model import (
    BEARER,
    MAX_DIMENSIONS,
    NATIVE_CATEGORIES,
    PLACEHOLDER,
    SET_FIELDS,
    SIGV4,
    UNITS,
    Catalog,
    CatalogError,
    Category,
    Model,
    ProviderRoute,
    ProviderSettings,
    Quirk,
    TransportName,
    UnitName,
    UpstreamDialectName,
    categories_of,
)
from callmissed.catalog.prices import micro_credits, token_price, unit_price

MAX_CREDITS_PER_MILLION_TOKENS = 1_000_000
"""Over a hundred times the highest list price: a higher price is a misplaced decimal point."""

_MAX_TOKENS = 100_000_000
_SHARE_OF_WINDOW = 4
"""Output limit of a model whose row states none: a quarter of its window, which leaves room for the prompt."""

_ROUTE_FIELDS = frozenset({"id", "provider", "upstream_id"})
_TOKEN_FIELDS = ("input", "output", "context_window")
_UNIT_FIELDS = ("unit", "unit_price")
_TOKEN_EXTRAS = ("cached_input", "cache_write", "max_output_tokens")
_HTTP_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)
_Row = TypeVar("_Row", bound=BaseModel)


def _base_url(text: str) -> str:
    filled = PLACEHOLDER.sub("x", text)
    url = _HTTP_URL.validate_python(filled)
    if url.query or url.fragment or url.username or url.password or not urlsplit(filled).netloc:
        raise ValueError("must be a plain URL with a host, without credentials, query or fragment")
    return text.rstrip("/")


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")
    return Decimal(value)


def _price(value: Decimal) -> Decimal:
    micro_credits(value)
    return value


_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$")]
_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
_HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]
_FieldName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.$:-]{0,127}$")]
_Beta = Annotated[str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,99})$")]
_Voice = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
_Tokens = Annotated[int, Field(ge=1, le=_MAX_TOKENS)]
_Credits = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(ge=0, le=MAX_CREDITS_PER_MILLION_TOKENS),
    AfterValidator(_price),
]


class _ProviderRow(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    dialect: Literal[UpstreamDialectName, "native"] = "openai_chat"
    base_url: Annotated[str, AfterValidator(_base_url)]
    api_key_env: _Variable | None = None
    auth: _HeaderName = BEARER
    headers: dict[_HeaderName, _HeaderValue] = {}
    transport: TransportName = "bare"
    unpriced_fields: list[_FieldName] = []
    quirks: list[Quirk] = []
    unpriced_betas: list[_Beta] = []

    @model_validator(mode="after")
    def _transport_fits(self) -> Self:
        if self.dialect == "bedrock_converse" and self.auth not in (SIGV4, BEARER):
            raise ValueError("the dialect bedrock_converse has auth sigv4 or bearer")
        if self.transport == "openai_sdk" and (self.dialect, self.auth) != ("openai_chat", BEARER):
            raise ValueError("the transport openai_sdk is for the dialect openai_chat with a bearer key")
        anthropic = ("anthropic_messages", {BEARER, "x-api-key"})
        if self.transport == "anthropic_sdk" and not (self.dialect == anthropic[0] and self.auth in anthropic[1]):
            raise ValueError("the transport anthropic_sdk is for the dialect anthropic_messages, x-api-key or bearer")
        return self

    @model_validator(mode="after")
    def _native_has_a_module(self) -> Self:
        if (self.dialect == "native") is not (self.transport in NATIVE_CATEGORIES):
            raise ValueError("the dialect native goes with the transport of an API of its own, and with no other")
        return self

    @model_validator(mode="after")
    def _quirks_fit(self) -> Self:
        if self.dialect != "openai_chat" and not {*self.quirks} <= {"inline_images"}:
            raise ValueError("quirks: this dialect has none but inline_images")
        if self.unpriced_betas and self.dialect != "anthropic_messages":
            raise ValueError("unpriced_betas: only the dialect anthropic_messages has betas")
        return self


class _ModelRow(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: _Id
    category: Literal["llm", "embedding", "stt", "tts", "image", "search"] = "llm"
    provider: _Text
    upstream_id: _Text
    input: _Credits = Decimal(0)
    output: _Credits = Decimal(0)
    cached_input: _Credits | None = None
    cache_write: _Credits | None = None
    unit: UnitName | None = None
    unit_price: _Credits | None = None
    context_window: _Tokens = _MAX_TOKENS
    max_output_tokens: _Tokens | None = None
    name: _Text | None = None
    description: str = ""
    owned_by: _Text | None = None
    free: bool = False
    supports_streaming: bool = True
    supports_tools: bool = True
    supports_reasoning: bool = False
    supports_vision: bool = False
    aliases: list[_Id] = []
    output_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    thinks_by_budget: bool = False
    dimensions: Annotated[int, Field(ge=1, le=MAX_DIMENSIONS)] | None = None
    vector_sizes: list[Annotated[int, Field(ge=1, le=MAX_DIMENSIONS)]] = []
    voices: Annotated[list[_Voice], Field(max_length=1000)] = []

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.cached_input is not None and self.cached_input > self.input:
            raise ValueError("cached_input: must not be above input")
        if self.max_output_tokens is not None and self.max_output_tokens > self.context_window:
            raise ValueError("max_output_tokens: must not be above context_window")
        if self.dimensions is not None and self.category != "embedding":
            raise ValueError("dimensions: only embedding models have them")
        if self.vector_sizes and max(self.vector_sizes) != self.dimensions:
            raise ValueError("vector_sizes: dimensions must be the largest of them")
        if self.voices and self.category != "tts":
            raise ValueError("voices: only models of category tts have them")
        return self

    @model_validator(mode="after")
    def _has_prices_of_its_category(self) -> Self:
        unit = UNITS.get(Category(self.category))
        if self.unit is not None and self.unit != unit:
            raise ValueError(f"unit: models of category {self.category} have {unit or 'prices of tokens'}")
        others = self.model_fields_set & {*(_UNIT_FIELDS if unit is None else (*_TOKEN_FIELDS, *_TOKEN_EXTRAS))}
        if others:
            raise ValueError(f"{min(others)}: models of category {self.category} have none")
        return self

    @property
    def priced_fields(self) -> tuple[str, ...]:
        """The fields that the first row of an id must have."""
        if Category(self.category) in UNITS:
            return _UNIT_FIELDS
        return tuple(name for name in _TOKEN_FIELDS if name != "output" or self.category != "embedding")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    providers: dict[_Name, dict[str, Any]] = {}
    models: list[dict[str, Any]] = []


def merged(built_in: Catalog, text: str, source: str) -> Catalog:
    """`built_in` with the additions and replacements of the operator's file `text`; `source` names that file in errors.

    A model row with a built-in id replaces that model; further rows with the same id are further routes, tried in
    order. Raises CatalogError.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise CatalogError(f"{source}: not TOML: {error}") from error
    except RecursionError:
        raise CatalogError(f"{source}: not TOML: nested too deep") from None
    file = _checked(_File, document, source)
    providers = {**built_in.providers, **_providers(file, built_in, source)}
    models = _models(file, providers, source)
    _check_aliases(models, built_in, source)
    return Catalog({**built_in.models, **models}, providers)


def _checked(kind: type[_Row], row: object, where: str) -> _Row:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise CatalogError(*(_problem(each["loc"], each["msg"], where) for each in found)) from error


def _problem(path: tuple[int | str, ...], text: str, where: str) -> str:
    """One line about the field at `path`."""
    names = "".join(f"{part}: " for part in path if part != "[key]")
    return " ".join(f"{where}: {names}{text.removeprefix('Value error, ')}".split())


class _Problems:
    """The problems of all rows, so that one look at a file finds them."""

    def __init__(self) -> None:
        self._found: list[str] = []

    @contextmanager
    def of_row(self) -> Generator[None]:
        """Keep the problems of one row."""
        try:
            yield
        except CatalogError as error:
            self._found += error.problems

    def check(self) -> None:
        """Raise CatalogError if there are any."""
        if self._found:
            raise CatalogError(*self._found)


def _providers(file: _File, built_in: Catalog, source: str) -> dict[str, ProviderSettings]:
    found: dict[str, ProviderSettings] = {}
    problems = _Problems()
    for name, row in file.providers.items():
        with problems.of_row():
            found[name] = _provider(name, row, built_in, source)
    problems.check()
    return found


def _provider(name: str, row: dict[str, Any], built_in: Catalog, source: str) -> ProviderSettings:
    if name in built_in.providers and not built_in.providers[name].base_url:
        raise CatalogError(f"{source}: providers.{name}: runs in process and can't be replaced")
    settings = _checked(_ProviderRow, row, f"{source}: providers.{name}").model_dump()
    settings |= {field: frozenset(settings[field]) for field in SET_FIELDS}
    return ProviderSettings(name=name, **settings)


def _models(file: _File, providers: Mapping[str, ProviderSettings], source: str) -> dict[str, Model]:
    checked: list[tuple[str, _ModelRow]] = []
    rows: dict[str, list[_ModelRow]] = {}
    problems = _Problems()
    for number, raw in enumerate(file.models, start=1):
        where = f"{source}: models row {number} ({_label(raw)})"
        with problems.of_row():
            checked.append((where, _model_row(raw, providers, where)))
    problems.check()
    for where, row in checked:  # after all: a further row of an id is compared with its first
        with problems.of_row():
            _check_place(row, rows.setdefault(row.id, []), where)
        rows[row.id].append(row)
    problems.check()
    return {model_id: _model(same) for model_id, same in rows.items()}


def _label(raw: dict[str, Any]) -> str:
    """The id of a row, to find it by, where it has one."""
    model_id = raw.get("id", "no id")
    return "no text as id" if isinstance(model_id, dict | list) else str(model_id)[:128]


def _model_row(raw: dict[str, Any], providers: Mapping[str, ProviderSettings], where: str) -> _ModelRow:
    row = _checked(_ModelRow, raw, where)
    if row.provider not in providers:
        raise CatalogError(f"{where}: provider: there is no provider {row.provider!r}")
    if Category(row.category) not in categories_of(providers[row.provider]):
        raise CatalogError(f"{where}: provider: {row.provider!r} serves no models of category {row.category}")
    return row


def _check_place(row: _ModelRow, earlier: list[_ModelRow], where: str) -> None:
    """The first row of an id has the price; a further row has another provider, and its other fields must be equal."""
    if not earlier:
        for name in row.priced_fields:
            if name not in row.model_fields_set:
                raise CatalogError(f"{where}: {name}: Field required")
        return
    if any(route.provider == row.provider for route in earlier):
        raise CatalogError(f"{where}: provider: {row.provider!r} has this model already")
    for name in sorted(row.model_fields_set - _ROUTE_FIELDS):
        if getattr(row, name) != getattr(earlier[0], name):
            raise CatalogError(f"{where}: {name}: differs from the first row of this id")


def _model(rows: list[_ModelRow]) -> Model:
    row = rows[0]
    fields = row.model_dump(
        include={"description", "free", "output_limit_field", "dimensions", "thinks_by_budget"}
        | {name for name in _ModelRow.model_fields if name.startswith("supports_")}
    )
    return Model(
        id=row.id,
        name=row.name or row.id,
        category=Category(row.category),
        routes=tuple(ProviderRoute(route.provider, route.upstream_id) for route in rows),
        owned_by=row.owned_by or row.provider,
        aliases=tuple(row.aliases),
        vector_sizes=tuple(row.vector_sizes),
        voices=tuple(row.voices),
        **(_token_fields(row) if row.unit_price is None else _unit_fields(row.unit_price, row)),
        **fields,
    )


def _token_fields(row: _ModelRow) -> dict[str, Any]:
    cached, written = (None if price is None else micro_credits(price) for price in (row.cached_input, row.cache_write))
    output = row.max_output_tokens or max(1, row.context_window // _SHARE_OF_WINDOW)
    return {
        "context_window": row.context_window,
        "max_output_tokens": 0 if row.category == "embedding" else output,
        "price": token_price(micro_credits(row.input), micro_credits(row.output), cached, written),
    }


def _unit_fields(price: Decimal, row: _ModelRow) -> dict[str, Any]:
    return {"max_output_tokens": 0, "unit_price": unit_price(micro_credits(price), UNITS[Category(row.category)])}


def _check_aliases(models: Mapping[str, Model], built_in: Catalog, source: str) -> None:
    names = {*built_in.models, *models}
    names |= {alias for model in built_in.models.values() if model.id not in models for alias in model.aliases}
    for model in models.values():
        for alias in model.aliases:
            if alias in names:
                raise CatalogError(f"{source}: models ({model.id}): aliases: {alias!r} is taken already")
            names.add(alias)
