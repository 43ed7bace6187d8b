"""The built-in rows against the price list of June 2026."""

import dataclasses
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

import callmissed.catalog
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category, DialectName, Model, ProviderSettings, categories_of
from callmissed.catalog.operator_file import MAX_CREDITS_PER_MILLION_TOKENS

# id, category, context window, free list and vision, then USD: input/output per million tokens (and per minute),
# or per hour of audio, per 10,000 characters, per image.
PRICE_LIST = """
sarvam-30b                    llm        65536  free         0.35/0.35
sarvam-105b                   llm       131072  free         0.35/0.35
openai/gpt-5.4-pro            llm      1048576  vision       40.00/240.00
openai/gpt-5.4                llm      1048576  vision       3.50/20.00
openai/gpt-5.4-mini           llm      1048576  vision       1.00/6.00
openai/gpt-5.4-nano           llm      1048576  vision       0.27/1.70
gpt-4o                        llm       128000  -            2.50/10.00
gpt-4.1                       llm      1000000  -            2.00/8.00
gpt-5-mini                    llm       400000  -            0.25/2.00
gpt-5.5                       llm      1000000  -            5.00/30.00
grok-4.3                      llm       200000  -            3.50/15.00
DeepSeek-V4-Pro               llm      1000000  -            1.00/3.00
DeepSeek-V4-Flash             llm       131072  -            0.30/1.20
anthropic/claude-opus-4.6     llm      1048576  vision       7.00/35.00
anthropic/claude-sonnet-4.6   llm      1048576  vision       4.00/20.00
anthropic/claude-haiku-4.5    llm       200000  vision       1.35/6.75
google/gemini-3.1-pro-preview llm      1048576  vision       2.00/12.00
google/gemini-3-flash-preview llm      1048576  vision       0.50/3.00
google/gemini-3.5-flash       llm      1048576  vision       1.50/9.00
google/gemini-3.1-flash-lite  llm      1048576  vision       0.25/1.50
x-ai/grok-4.20                llm       262144  vision       1.69/3.38
qwen/qwen3.5-plus             llm       262144  vision       0.40/2.40
qwen/qwen3.5-flash            llm       262144  vision       0.09/0.35
kimi-k2.5                     llm       262144  free vision  0.81/4.05
kimi-k2.5-fast                llm       262144  -            0.81/4.05
kimi-k2.6                     llm       262144  free vision  1.28/5.40
kimi-k2.7-code                llm       262144  free vision  1.28/5.40
glm-4.7-flash                 llm       131072  free         0.50/2.00
glm-5.2                       llm       262144  free         1.89/5.94
gpt-oss-120b                  llm       131072  free         1.00/4.00
nemotron-3-super              llm      1048576  free         1.50/6.00
gemma-4-26b-a4b-it            llm       131072  free vision  0.40/1.60
mistral-small-3.1             llm       131072  free vision  0.47/0.76
mistralai/mistral-small-2603  llm       131072  vision       0.20/0.80
auto                          llm       200000  free vision  0.30/0.50
openrouter/auto               llm            -  vision       varies
nova-sonic-2                  llm        32000  -            4.00/15.00/0.064
nova-sonic                    llm        32000  -            4.50/17.00/0.071
gpt-realtime                  llm        32000  -            4.00/16.00/0.375
gpt-realtime-mini             llm        32000  -            0.60/2.40/0.118
gpt-realtime-2                llm       128000  -            4.00/24.00/0.375
gpt-realtime-1.5              llm        32000  -            4.00/16.00/0.375
saaras:v3                     stt            -  free         0.53
whisper-large-v3-turbo        stt            -  free         0.06
nova-3                        stt            -  free         0.50
whisper                       stt            -  -            0.40
gpt-4o-transcribe             stt            -  -            0.40
gpt-4o-mini-transcribe        stt            -  -            0.24
gpt-4o-transcribe-diarize     stt            -  -            0.40
bulbul:v3                     tts            -  free         0.53
aura-2-en                     tts            -  free         0.40
aura-2-es                     tts            -  free         0.40
melotts                       tts            -  free         0.05
gpt-4o-mini-tts               tts            -  -            0.20
flux-2-klein-9b               image          -  free         0.10
flux-2-pro                    image          -  -            0.10
flux-1.1-pro                  image          -  -            0.05
flux-2-dev                    image          -  free         0.12
lucid-origin                  image          -  free         0.08
phoenix-1.0                   image          -  free         0.10
sdxl-lightning                image          -  free         0.04
dreamshaper-8-lcm             image          -  free         0.04
nano-banana-2                 image          -  -            0.067
nano-banana-pro               image          -  -            0.134
text-embedding-3-small        embedding   8192  free         0.02/0.00
text-embedding-3-large        embedding   8192  free         0.13/0.00
gemini-embedding-001          embedding   2048  free         0.15/0.00
bge-m3                        embedding  60000  free         0.0118/0.00
cohere-embed-multilingual-v3  embedding    512  free         0.10/0.00
titan-embed-text-v2           embedding   8192  free         0.02/0.00
"""
ROWS = [(line[:30].strip(), *line[30:].split(maxsplit=2)) for line in PRICE_LIST.strip().splitlines()]
SANDBOX = {"sandbox", "sandbox-paid"}
EMBEDDINGS = {
    "text-embedding-3-small": 1_536,
    "text-embedding-3-large": 3_072,
    "gemini-embedding-001": 3_072,
    "bge-m3": 1_024,
    "cohere-embed-multilingual-v3": 1_024,
    "titan-embed-text-v2": 1_024,
    "sandbox-embedding": 1_024,
}
FREE_LLMS = """auto sarvam-30b sarvam-105b kimi-k2.5 kimi-k2.6 kimi-k2.7-code glm-4.7-flash glm-5.2 gpt-oss-120b
    nemotron-3-super gemma-4-26b-a4b-it mistral-small-3.1"""
FREE_SPEECH = "saaras:v3 whisper-large-v3-turbo nova-3 bulbul:v3 aura-2-en aura-2-es melotts"
FREE_IMAGES = "flux-2-klein-9b flux-2-dev lucid-origin phoenix-1.0 sdxl-lightning dreamshaper-8-lcm"
SANDBOX_MEDIA = {"sandbox-image", "sandbox-stt", "sandbox-tts"}
SEARCHES = {"exa", "firecrawl", "google", "sandbox-search", "serper"}
UNITS = {Category.STT: "audio_hour", Category.TTS: "10k_characters", Category.IMAGE: "image"}
MICRO_CREDITS_PER_USD = 100_000_000


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def micro_credits(usd: str) -> int:
    return int(Decimal(usd) * MICRO_CREDITS_PER_USD)


def test_the_catalog_has_the_listed_models_and_the_sandbox(catalog: Catalog) -> None:
    listed = {row[0] for row in ROWS}

    assert len(listed) == 64 + 6
    assert set(catalog.models) == listed | SANDBOX | {"sandbox-embedding"} | SANDBOX_MEDIA | SEARCHES
    counts = {category: len(catalog.listed(category)) for category in Category}
    assert counts == {
        Category.LLM: 42 + 2,
        Category.STT: 7 + 1,
        Category.TTS: 5 + 1,
        Category.IMAGE: 10 + 1,
        Category.EMBEDDING: len(EMBEDDINGS),
        Category.SEARCH: len(SEARCHES),
    }


def test_the_free_list_is_exact(catalog: Catalog) -> None:
    published = f"{FREE_LLMS} {FREE_SPEECH} {FREE_IMAGES}".split()

    assert len(published) == 25
    assert {model.id for model in catalog.listed(free=True)} == {*published, "sandbox", *SANDBOX_MEDIA, *EMBEDDINGS}


@pytest.mark.parametrize(("model_id", "category", "window", "rest"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_says_what_the_price_list_says(
    catalog: Catalog, model_id: str, category: str, window: str, rest: str
) -> None:
    *tags, price = rest.split()
    model = catalog.models[model_id]

    assert model.category == category
    assert model.context_window == (None if window == "-" else int(window))
    assert model.free is ("free" in tags)
    assert model.supports_vision is ("vision" in tags)
    assert prices_of(model) == expected_prices(model, price)


def prices_of(model: Model) -> list[tuple[str, int]]:
    tokens = [("input", model.price.input), ("output", model.price.output)] if model.price else []
    return tokens + ([(model.unit_price.unit, model.unit_price.amount)] if model.unit_price else [])


def expected_prices(model: Model, price: str) -> list[tuple[str, int]]:
    if price == "varies":
        return []
    units = ("input", "output", "minute") if model.price else (UNITS[model.category],)
    return [(unit, micro_credits(usd)) for unit, usd in zip(units, price.split("/"), strict=False)]


@pytest.mark.parametrize("model_id", sorted(SANDBOX))
def test_the_sandbox_costs_credits_like_any_other(catalog: Catalog, model_id: str) -> None:
    model = catalog.models[model_id]

    assert prices_of(model) == [("input", 50_000_000), ("output", 200_000_000)]
    assert model.context_window == 128_000
    assert model.free is (model_id == "sandbox")
    assert model.supports_tools
    assert model.supports_vision
    assert model.supports_reasoning
    assert [route.provider for route in model.routes] == ["sandbox"]


def test_every_field_has_its_type(catalog: Catalog) -> None:
    for model in catalog.models.values():
        assert TypeAdapter(Model).validate_python(dataclasses.asdict(model)) == model
    for provider in catalog.providers.values():
        assert TypeAdapter(ProviderSettings).validate_python(dataclasses.asdict(provider)) == provider


def test_every_row_makes_sense(catalog: Catalog) -> None:
    for model in catalog.models.values():
        assert model.name, model.id
        assert model.description, model.id
        assert model.owned_by, model.id
        assert model.routes, model.id
        assert {route.provider for route in model.routes} <= set(catalog.providers), model.id
        assert all(route.upstream_id for route in model.routes), model.id
        assert model.price or model.unit_price or model.id == "openrouter/auto"
        assert 0 <= model.max_output_tokens <= (model.context_window or model.max_output_tokens), model.id
        assert (model.max_output_tokens > 0) is (model.category is Category.LLM), model.id
        assert model.status in {"live", "maintenance"}, model.id
        assert model.output_limit_field in {"max_tokens", "max_completion_tokens"}, model.id


def test_prices_are_positive_and_bounded(catalog: Catalog) -> None:
    for model in catalog.models.values():
        for unit, amount in prices_of(model):
            if unit == "output" and model.category is Category.EMBEDDING:
                assert amount == 0, model.id
                continue
            assert 0 < amount <= MAX_CREDITS_PER_MILLION_TOKENS * 1_000_000, (model.id, unit)


def test_chat_models_are_served_by_chat_providers(catalog: Catalog) -> None:
    for model in catalog.listed(Category.LLM):
        if not model.realtime:
            assert {catalog.providers[route.provider].dialect for route in model.routes} <= DIALECTS, model.id


def test_embedding_models_have_dimensions_and_no_output(catalog: Catalog) -> None:
    assert {model.id: model.dimensions for model in catalog.models.values() if model.dimensions} == EMBEDDINGS
    for model in catalog.listed(Category.EMBEDDING):
        assert model.free, model.id
        assert all(Category.EMBEDDING in categories_of(catalog.providers[route.provider]) for route in model.routes)
        assert not model.vector_sizes or max(model.vector_sizes) == model.dimensions, model.id
        assert not (model.supports_streaming or model.supports_tools or model.supports_reasoning), model.id


def test_realtime_models_are_marked(catalog: Catalog) -> None:
    realtime = {model.id for model in catalog.models.values() if model.realtime}

    assert realtime == {
        "nova-sonic-2",
        "nova-sonic",
        "gpt-realtime",
        "gpt-realtime-mini",
        "gpt-realtime-2",
        "gpt-realtime-1.5",
    }


def test_one_model_is_in_maintenance_and_names_another(catalog: Catalog) -> None:
    (model,) = [model for model in catalog.models.values() if model.status == "maintenance"]

    assert (model.id, model.fallback) == ("kimi-k2.5-fast", "kimi-k2.5")


DIALECTS = set(get_args(DialectName))
EFFORTS = ("none", "minimal", "low", "medium", "high")
BEYOND = ("xhigh", "max")
"""Efforts that came after the published matrix: the highest that the model has."""

SENT = {
    "kimi-k2.5 kimi-k2.6 kimi-k2.7-code gemma-4-26b-a4b-it": ("none", "none", "low", "medium", "high"),
    "gpt-oss-120b nemotron-3-super glm-4.7-flash glm-5.2 sarvam-30b sarvam-105b": (
        "low",
        "low",
        "low",
        "medium",
        "high",
    ),
    "mistral-small-3.1": ("", "", "", "", ""),
}


def test_reasoning_efforts_are_those_of_the_published_matrix(catalog: Catalog) -> None:
    expected = {
        model_id: {**dict(zip(EFFORTS, sent, strict=True)), **dict.fromkeys(BEYOND, sent[-1])}
        for model_ids, sent in SENT.items()
        for model_id in model_ids.split()
    }

    assert {
        model.id: model.reasoning_efforts for model in catalog.models.values() if model.reasoning_efforts is not None
    } == expected


def test_names_are_unique(catalog: Catalog) -> None:
    names = [*catalog.models, *(alias for model in catalog.models.values() for alias in model.aliases)]

    assert len(names) == len(set(names))


def test_price_versions_spell_the_price_out(catalog: Catalog) -> None:
    for model in catalog.models.values():
        if model.price:
            cached = "" if model.price.cached_input is None else f"-c{model.price.cached_input}"
            written = "" if model.price.cache_write is None else f"-w{model.price.cache_write}"
            assert model.price.version == f"i{model.price.input}-o{model.price.output}{cached}{written}"
        if model.unit_price:
            assert model.unit_price.version == f"u{model.unit_price.amount}-{model.unit_price.unit}"


def test_models_whose_cache_writes_cost_more_have_a_price_for_them(catalog: Catalog) -> None:
    priced = {model.id: model.price for model in catalog.models.values() if model.price and model.price.cache_write}

    assert priced.keys() == {model.id for model in catalog.models.values() if model.id.startswith("anthropic/")}
    assert all(price.cache_write == price.input * 5 // 4 for price in priced.values())


DISCOUNTS = {"gpt-4o": 2, "gpt-4.1": 4, "grok-4.3": Fraction(25, 4), "x-ai/grok-4.20": Fraction(25, 4)}
"""Input price over the price of cached input, where it is not ten, by the makers' price lists."""

CACHED = {"DeepSeek-V4-Pro": 14_500_000, "DeepSeek-V4-Flash": 2_800_000}
"""Prices of cached input where hosts and times ask for different shares: the dearest of them."""


def test_cached_input_costs_the_share_that_its_maker_asks(catalog: Catalog) -> None:
    priced = {model.id: model.price for model in catalog.models.values() if model.price and model.price.cached_input}

    first_party = {"gpt-4o", "gpt-4.1", "gpt-5-mini", "gpt-5.5"}
    family = {"openai/gpt-5.4", "openai/gpt-5.4-mini", "openai/gpt-5.4-nano"}
    claude = {model_id for model_id in catalog.models if model_id.startswith("anthropic/")}
    gemini = {model_id for model_id in catalog.models if model_id.startswith("google/gemini-")}
    grok = {"grok-4.3", "x-ai/grok-4.20"}
    assert priced.keys() == first_party | family | claude | gemini | grok | CACHED.keys()
    for model_id, price in priced.items():
        expected = CACHED.get(model_id, price.input / Fraction(DISCOUNTS.get(model_id, 10)))
        assert price.cached_input == expected, model_id


def test_claude_is_served_by_its_maker_too(catalog: Catalog) -> None:
    for model in catalog.models.values():
        if model.id.startswith("anthropic/"):
            assert [route.provider for route in model.routes] == ["openrouter", "anthropic"], model.id


def test_row_files_stay_readable() -> None:
    files = list((Path(callmissed.catalog.__file__).parent / "rows").glob("*.toml"))

    assert len(files) == 9
    assert all(len(file.read_text().splitlines()) <= 400 for file in files)
