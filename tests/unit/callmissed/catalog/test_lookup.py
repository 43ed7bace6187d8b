"""Look-up of models, and which providers are live."""

from collections.abc import Sequence
from typing import get_args

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import (
    Catalog,
    Category,
    ProviderSettings,
    Quirk,
    is_live,
    missing_settings,
    resolved,
    routing_suffix,
)
from local.paths import ROOT


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o:nitro", "gpt-4o"),
        ("openai/gpt-5.4:floor", "openai/gpt-5.4"),
        ("saaras:v3", "saaras:v3"),
        ("saaras:v3:nitro", "saaras:v3"),
        ("openai-gpt-image-2", "nano-banana-pro"),
        ("whisper-1", "whisper"),
        ("openai-gpt-image-2:floor", "nano-banana-pro"),
    ],
)
def test_find(catalog: Catalog, asked: str, found: str) -> None:
    model = catalog.find(asked)

    assert model is not None
    assert model.id == found


@pytest.mark.parametrize("asked", ["", ":nitro", "gpt-4o:turbo", "gpt-4o:nitro:floor", "GPT-4O", "gpt-4o ", "nitro"])
def test_find_nothing(catalog: Catalog, asked: str) -> None:
    assert catalog.find(asked) is None


@pytest.mark.parametrize(
    ("model_id", "suffix"),
    [("gpt-4o", ""), ("gpt-4o:nitro", "nitro"), ("gpt-4o:floor", "floor"), ("bulbul:v3", ""), ("nitro", "nitro")],
)
def test_routing_suffix(model_id: str, suffix: str) -> None:
    assert routing_suffix(model_id) == suffix


def test_listed_filters_combine(catalog: Catalog) -> None:
    free_speech = [model.id for model in catalog.listed(Category.TTS, free=True)]

    assert free_speech == ["bulbul:v3", "aura-2-en", "aura-2-es", "melotts", "sandbox-tts"]
    assert [model.id for model in catalog.listed(Category.TTS, free=False)] == ["gpt-4o-mini-tts"]
    searches = catalog.listed(Category.SEARCH)
    assert len(catalog.listed()) + len(searches) == len(catalog.models)


def test_a_provider_is_live_when_its_key_is_set(catalog: Catalog) -> None:
    openai = catalog.providers["openai"]

    assert not is_live(openai, {})
    assert not is_live(openai, {"OPENAI_API_KEY": ""})
    assert is_live(openai, {"OPENAI_API_KEY": "k"})


def test_a_provider_with_placeholders_needs_them_too(catalog: Catalog) -> None:
    cloudflare = catalog.providers["cloudflare"]

    assert missing_settings(cloudflare, {}) == ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"]
    assert missing_settings(cloudflare, {"CLOUDFLARE_API_TOKEN": "k"}) == ["CLOUDFLARE_ACCOUNT_ID"]
    assert is_live(cloudflare, {"CLOUDFLARE_API_TOKEN": "k", "CLOUDFLARE_ACCOUNT_ID": "a"})


def test_a_provider_without_a_key_is_always_live(catalog: Catalog) -> None:
    assert is_live(catalog.providers["sandbox"], {})
    assert is_live(ProviderSettings("ollama", "openai_chat", "http://127.0.0.1:11434/v1"), {})


def test_without_any_key_only_the_sandbox_is_live(catalog: Catalog) -> None:
    assert [name for name, provider in catalog.providers.items() if is_live(provider, {})] == ["sandbox"]


def test_placeholders_are_filled_from_the_environment() -> None:
    provider = ProviderSettings("p", "openai_chat", "https://${HOST}/${ACCOUNT}/v1", headers={"X-Key": "k-${SECRET}"})

    filled = resolved(provider, {"HOST": "api.example.com", "ACCOUNT": "a1", "SECRET": "s"})

    assert filled.base_url == "https://api.example.com/a1/v1"
    assert filled.headers == {"X-Key": "k-s"}


def test_a_placeholder_that_is_not_set_stays() -> None:
    provider = ProviderSettings("p", "openai_chat", "https://${HOST}/v1")

    assert resolved(provider, {"HOST": ""}) == provider


def test_loading_with_an_environment_fills_providers() -> None:
    catalog = load_catalog(environment={"CLOUDFLARE_ACCOUNT_ID": "a1"})

    assert catalog.providers["cloudflare"].base_url == "https://api.cloudflare.com/client/v4/accounts/a1/ai/v1"
    assert "${AZURE_OPENAI_RESOURCE}" in catalog.providers["azure"].base_url


def test_header_values_are_not_shown() -> None:
    assert "secret" not in repr(ProviderSettings("p", "openai_chat", "https://h/v1", headers={"X-Key": "secret"}))


def test_the_documentation_says_of_every_provider_what_its_row_says(catalog: Catalog) -> None:
    lines = (ROOT / "docs" / "providers.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.count("|") == 7]
    table = {name.strip("`"): tuple(cells) for name, _serves, *cells in rows}

    for name, provider in catalog.providers.items():
        written = (coded(missing_settings(provider, {})), coded([provider.dialect]), coded([provider.auth]))
        assert table[name] == (*written, coded(sorted(provider.quirks))), name


def coded(names: Sequence[str]) -> str:
    """`names` as the table has them."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def test_the_documentation_has_every_quirk() -> None:
    section = (ROOT / "docs" / "providers.md").read_text().partition("\n## Quirks\n")[2].partition("\n## ")[0]
    named = [line.split("|")[1].strip(" `") for line in section.splitlines() if line.startswith("| `")]

    assert named == list(get_args(Quirk))
