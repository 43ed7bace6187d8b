"""Types of the catalog: models, their prices, and the providers that serve them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

ROUTING_SUFFIXES = ("nitro", "floor")
"""`<id>:nitro` asks for the fastest upstream, `<id>:floor` for the cheapest; OpenRouter understands both."""

LISTED_SINCE = 1_780_272_000
"""`created` of every row, in epoch seconds: 1 June 2026, the date of the price list."""

SANDBOX = "sandbox"
"""The provider that runs in process and answers all calls of test keys."""

OPENROUTER = "openrouter"
"""The provider that routes to providers of its own."""

DialectName = Literal["openai_chat", "openai_responses", "anthropic_messages"]
"""Wire formats that callers and upstreams may speak: packages of `callmissed_ai.dialects`."""

UpstreamDialectName = Literal[DialectName, "bedrock_converse"]
"""Wire formats that an upstream may speak."""

NativeName = Literal[
    "azure_flux",
    "bedrock_embeddings",
    "cloudflare_run",
    "deepgram",
    "elevenlabs",
    "exa",
    "firecrawl",
    "gemini_images",
    "google_search",
    "sarvam_speech",
    "serper",
]
"""APIs of providers' own: modules of `callmissed_ai.providers`."""

GeneralTransport = Literal["bare", "openai_sdk", "anthropic_sdk"]
TransportName = Literal[GeneralTransport, NativeName]
"""Ways of sending a request to an upstream, which `callmissed_ai.transports.opening` opens."""

Quirk = Literal[
    "any_for_required",
    "inline_images",
    "no_developer_role",
    "no_past_reasoning",
    "no_reasoning_content",
    "no_stream_options",
    "no_token_inputs",
    "no_user_fields",
    "random_seed",
    "reasoning_with_calls",
    "short_call_ids",
    "text_as_string",
]
"""What a provider documents to be different from its dialect: see `callmissed_ai.dialects.adaptation.quirks`."""

BEARER = "bearer"
"""A provider's `auth` where its key is sent as `Authorization: Bearer`."""

TOKEN = "token"  # noqa: S105 - a scheme and no secret
"""A provider's `auth` where its key is sent as `Authorization: Token`."""

SIGV4 = "sigv4"
"""A provider's `auth` where requests are signed with the credentials of the process, as AWS demands.

Where the key is set it is sent as `Authorization: Bearer` instead.
"""

REGION_VARIABLE = "AWS_REGION"
_REGION = re.compile(r"(?<=[./])[a-z]{2}(?:-[a-z]+)+-[0-9](?=[./:]|$)")

MAX_DIMENSIONS = 65_536
"""Numbers in a vector: ten times what any embedding model makes."""

PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
"""`${NAME}` in a provider's base URL or headers, to be read from the environment."""


class CatalogError(ValueError):
    """The operator's file can't be read or used. The message is one line that names file, row and field.

    `problems` are all that were found, each such a line; the message is the first.
    """

    def __init__(self, problem: str, *more: str) -> None:
        super().__init__(problem)
        self.problems = (problem, *more)


class Category(StrEnum):
    """The kind of work a model does."""

    LLM = "llm"
    STT = "stt"
    TTS = "tts"
    IMAGE = "image"
    EMBEDDING = "embedding"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Price:
    """Token prices in micro-credits per million tokens.

    `cached_input` is None where input read from a cache costs the same as any other, `cache_write` where input written
    to one does. `version` has the price as text, so that the amount of a ledger entry can be recomputed after the
    catalog has changed.
    """

    input: int
    output: int
    cached_input: int | None
    version: str
    cache_write: int | None = None

    @property
    def dearest_input(self) -> int:
        """The price of an input token at most, wherever a cache reads or writes it."""
        return max(self.input, self.cached_input or 0, self.cache_write or 0)


NATIVE_CATEGORIES: Mapping[str, frozenset[Category]] = {
    "azure_flux": frozenset({Category.IMAGE}),
    "bedrock_embeddings": frozenset({Category.EMBEDDING}),
    "cloudflare_run": frozenset({Category.STT, Category.TTS, Category.IMAGE}),
    "deepgram": frozenset({Category.STT, Category.TTS}),
    "elevenlabs": frozenset({Category.TTS}),
    "exa": frozenset({Category.SEARCH}),
    "firecrawl": frozenset({Category.SEARCH}),
    "gemini_images": frozenset({Category.IMAGE}),
    "google_search": frozenset({Category.SEARCH}),
    "sarvam_speech": frozenset({Category.STT, Category.TTS}),
    "serper": frozenset({Category.SEARCH}),
}
"""What each `NativeName` can do."""

_OPENAI_CATEGORIES = frozenset({Category.LLM, Category.EMBEDDING, Category.STT, Category.TTS, Category.IMAGE})

UnitName = Literal["audio_hour", "10k_characters", "image", "search", "minute"]
"""What a unit price is for."""

UNITS: Mapping[Category, UnitName] = {
    Category.STT: "audio_hour",
    Category.TTS: "10k_characters",
    Category.IMAGE: "image",
    Category.SEARCH: "search",
}
"""The unit of each category that isn't priced by the token."""


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """Price in micro-credits of one `unit`."""

    amount: int
    unit: UnitName
    version: str


@dataclass(frozen=True, slots=True)
class ProviderRoute:
    """One route to a model: a provider, and that provider's id of the model."""

    provider: str
    upstream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row of the catalog.

    `max_output_tokens` is the most that one call may produce (0 where nothing is counted in tokens). `price` is None
    for models that aren't priced by the token, and for `openrouter/auto`, whose price is the chosen model's.
    `reasoning_efforts` maps the caller's value to the value sent, "" meaning that the field is dropped; None
    forwards it as it is. `thinks_by_budget` says that a model of the messages dialect knows no efforts. `status` is
    `live` or `maintenance`; in maintenance, the error recommends the id `fallback`.
    A model with `price_capped` may be served by nobody who is dearer than `price`.
    A model that was chosen for the id `billed_as` has that one's price and access; "" means its own.
    `realtime` models speak over sockets only. `dimensions` is the size of an embedding model's vectors, None where it
    is not known, and `vector_sizes` are those that it can make, all up to `dimensions` where there are none; its
    `context_window` bounds each input. `voices` are those of a model that speaks, the default first;
    empty where they are not listed. `created` is in epoch seconds.
    """

    id: str
    name: str
    category: Category
    routes: tuple[ProviderRoute, ...]
    max_output_tokens: int
    description: str = ""
    owned_by: str = "callmissed"
    context_window: int | None = None
    free: bool = False
    supports_streaming: bool = True
    supports_tools: bool = True
    supports_reasoning: bool = False
    supports_vision: bool = False
    supports_json: bool = True
    price: Price | None = None
    unit_price: UnitPrice | None = None
    reasoning_efforts: Mapping[str, str] | None = None
    status: str = "live"
    fallback: str | None = None
    realtime: bool = False
    aliases: tuple[str, ...] = ()
    output_limit_field: str = "max_tokens"
    thinks_by_budget: bool = False
    dimensions: int | None = None
    vector_sizes: tuple[int, ...] = ()
    created: int = LISTED_SINCE
    billed_as: str = ""
    price_capped: bool = False
    voices: tuple[str, ...] = ()

    @property
    def price_version(self) -> str:
        """The price that calls are billed by, as text; "" where it is another model's."""
        price = self.price or self.unit_price
        return price.version if price else ""

    @property
    def billed_id(self) -> str:
        """The id that a caller needs access to, and that the ledger has."""
        return self.billed_as or self.id


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How to reach a provider.

    `dialect` is the format of its conversations, or `native` for a provider without any: its `transport` is then the
    module that reads and writes its API. `base_url` and the values of `headers` may hold `${NAME}`, which `resolved`
    replaces; `base_url` is "" for the provider that runs in process. `auth` is `bearer`, `token`, `sigv4`, or the name
    of the header that holds the key.
    `unpriced_fields` names what a request may hold beside the fields that
    every provider gets, because it does not change the provider's price (`callmissed_ai.dialects.further_fields`).
    `quirks` says how the provider differs from its dialect. `unpriced_betas` names the values of `anthropic-beta` that
    reach it, without their dates, `*` for all that are not known to have a price
    (`callmissed_ai.services.conversations.betas`).
    """

    name: str
    dialect: Literal[UpstreamDialectName, "native"]
    base_url: str
    api_key_env: str | None = None
    auth: str = BEARER
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    transport: TransportName = "bare"
    unpriced_fields: frozenset[str] = frozenset()
    quirks: frozenset[Quirk] = frozenset()
    unpriced_betas: frozenset[str] = frozenset()


def categories_of(provider: ProviderSettings) -> frozenset[Category]:
    """The kinds of models that `provider` can serve."""
    if provider.dialect == "native":
        return NATIVE_CATEGORIES[provider.transport]
    return _OPENAI_CATEGORIES if provider.dialect == "openai_chat" else frozenset({Category.LLM})


SET_FIELDS = ("quirks", "unpriced_betas", "unpriced_fields")
"""Fields of a provider's row that are sets, written as lists."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models by id, in the order of the list, and all providers by name."""

    models: Mapping[str, Model]
    providers: Mapping[str, ProviderSettings]
    dialects: Mapping[str, UpstreamDialectName] = field(init=False, repr=False, compare=False)
    """The dialect of each provider that has one."""

    _aliases: Mapping[str, Model] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        dialects = {name: found.dialect for name, found in self.providers.items() if found.dialect != "native"}
        object.__setattr__(self, "dialects", dialects)
        aliases = {alias: model for model in self.models.values() for alias in model.aliases}
        object.__setattr__(self, "_aliases", aliases)

    def find(self, model_id: str) -> Model | None:
        """The model of that id or alias, with or without a routing suffix; None when there is none."""
        model = self._named(model_id)
        if model is None and routing_suffix(model_id):
            return self._named(model_id.rpartition(":")[0])
        return model

    def with_models(self, models: Mapping[str, Model]) -> "Catalog":
        """This catalog and `models`."""
        return Catalog({**self.models, **models}, self.providers)

    def listed(self, category: Category | None = None, free: bool | None = None) -> list[Model]:
        """The models of `category` that the free plan may use (or may not, or all when None).

        Without a category all but searches, whose providers are no models that a request could name as its `model`.
        """
        return [
            model
            for model in self.models.values()
            if (model.category is category or (category is None and model.category is not Category.SEARCH))
            and free in (None, model.free)
        ]

    def _named(self, name: str) -> Model | None:
        return self.models.get(name) or self._aliases.get(name)


def routing_suffix(model_id: str) -> str:
    """`nitro` or `floor` where `model_id` ends in one, else ""."""
    suffix = model_id.rpartition(":")[2]
    return suffix if suffix in ROUTING_SUFFIXES else ""


def missing_settings(provider: ProviderSettings, environment: Mapping[str, str]) -> list[str]:
    """Environment variables that `provider` needs and `environment` doesn't set, for the operator's log."""
    needed = [provider.api_key_env] if provider.api_key_env and provider.auth != SIGV4 else []
    for text in (provider.base_url, *provider.headers.values()):
        needed += PLACEHOLDER.findall(text)
    known = resolved(provider, environment)
    if is_signed(provider, environment) and not (
        PLACEHOLDER.search(known.base_url) or signing_region(known, environment)
    ):
        needed.append(REGION_VARIABLE)
    return [name for name in dict.fromkeys(needed) if not environment.get(name)]


def is_live(provider: ProviderSettings, environment: Mapping[str, str]) -> bool:
    """True when everything that `provider` needs is set; always so for one without a key or placeholders."""
    return not missing_settings(provider, environment)


def is_signed(provider: ProviderSettings, environment: Mapping[str, str]) -> bool:
    """True when requests to `provider` are signed with the credentials of the process."""
    return provider.auth == SIGV4 and not environment.get(provider.api_key_env or "")


def signing_region(provider: ProviderSettings, environment: Mapping[str, str]) -> str:
    """The AWS region in the provider's base URL, else that of the process; "" where there is none."""
    found = _REGION.search(provider.base_url)
    return found[0] if found else environment.get(REGION_VARIABLE, "")


def resolved(provider: ProviderSettings, environment: Mapping[str, str]) -> ProviderSettings:
    """`provider` with every `${NAME}` that `environment` sets replaced by its value."""

    def fill(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: environment.get(found[1]) or found[0], text)

    headers = {name: fill(value) for name, value in provider.headers.items()}
    return replace(provider, base_url=fill(provider.base_url), headers=headers)
